"""Minutes become hours and days; each duration is read once, and the bound is kept."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ldaphealth.clocks import DAY_SECONDS, HOUR_SECONDS
from ldaphealth.histogram import histogram_of
from ldaphealth.store import history
from ldaphealth.store.history import CUTS_SECONDS, RETRY_SECONDS
from ldaphealth.store.history_file import HistoryFile
from ldaphealth.store.history_reading import HistoryError
from ldaphealth.store.points_reading import PointQuery, read_points
from tests.files.limits import files_no_larger_than
from tests.sinks.snapshots import serving
from tests.store.disk import (
    PATIENCE_SECONDS,
    SERVER,
    SMALL_BYTES,
    START,
    Disk,
    bounds,
    changed,
    comes_true,
    durations,
    minutes_of,
    publish_many,
    stored,
    timed,
)

TINY_BYTES = SMALL_BYTES // 4
DAY = int(START) // DAY_SECONDS * DAY_SECONDS
LEVEL_SECONDS = {"minute": 60, "hour": HOUR_SECONDS, "day": DAY_SECONDS}


class Written:
    """A file into which a test writes minutes at times of its own."""

    def __init__(self, path: Path, **days: int) -> None:
        self.path, self.now = path, float(DAY)
        self.file = HistoryFile(path, bounds(1000, 64 << 20, **days), lambda: self.now)

    def minute(self, at: int, *seconds: float) -> None:
        """Write what was measured in a minute, and fold what is over by now."""
        times = {"search": {"search": histogram_of(seconds)}}
        self.file.add_minutes({(at // 60 * 60, SERVER): times}, self.now)
        self.file.fold(self.now)

    def counts(self, since: float, until: float, by_seconds: int) -> Mapping[tuple[int, int], int]:
        """Return the number of durations by the start and length of the period."""
        query = PointQuery(
            check="search", since_epoch=since, until_epoch=until, by_seconds=by_seconds
        )
        found = read_points(self.path, [SERVER], query, has_writer=True)[SERVER]
        return {(int(each.start_epoch) - DAY, each.seconds): each.durations.count for each in found}


@pytest.fixture
def written(tmp_path: Path) -> Written:
    return Written(tmp_path / "history.sqlite3")


def test_minutes_become_hours_and_hours_days(written: Written) -> None:
    for hour in range(50):
        for minute in (0, 7):
            written.now = float(DAY + hour * HOUR_SECONDS + minute * 60)
            written.minute(int(written.now), 0.5, 0.25)

    connection = written.file.connection()
    query = "SELECT step_seconds, count(*) FROM {} GROUP BY 1"
    assert dict(connection.execute(query.format("fresh"))) == {60: 2, 3600: 1, 86400: 2}
    assert dict(connection.execute(query.format("packed"))) == {60: 49, 3600: 2}
    until = written.now + 60
    assert written.counts(DAY, until, 60)[0, 60] == 2
    assert len(written.counts(DAY, until, 60)) == 100
    assert written.counts(DAY, until, HOUR_SECONDS) == {
        (hour * HOUR_SECONDS, HOUR_SECONDS): 4 for hour in range(50)
    }
    assert written.counts(DAY, until, DAY_SECONDS) == {
        (0, DAY_SECONDS): 96,
        (DAY_SECONDS, DAY_SECONDS): 96,
        (2 * DAY_SECONDS, DAY_SECONDS): 8,
    }


def test_a_period_that_is_cut_is_read_in_finer_points(written: Written) -> None:
    for minute in range(0, 2 * 24 * 60, 10):
        written.now = float(DAY + minute * 60)
        written.minute(int(written.now), 0.5)

    since, until = DAY + 23 * HOUR_SECONDS + 1800, DAY + 25 * HOUR_SECONDS + 600

    assert written.counts(since, until, DAY_SECONDS) == {
        (0, DAY_SECONDS): 3,
        (DAY_SECONDS, DAY_SECONDS): 7,
    }


def test_where_finer_points_are_gone_the_coarser_ones_are_left_whole(written: Written) -> None:
    for hour in range(3 * 24):
        written.now = float(DAY + hour * HOUR_SECONDS)
        written.minute(int(written.now), 0.5)
    connection = written.file.connection()
    with connection:
        connection.execute("DELETE FROM packed WHERE step_seconds = 3600 AND epoch = ?", (DAY,))
        connection.execute(
            "DELETE FROM packed WHERE step_seconds = 60 AND epoch < ?", (DAY + 30 * HOUR_SECONDS,)
        )

    found = written.counts(DAY, written.now + 60, 60)

    assert found[0, DAY_SECONDS] == 24
    assert sum(count for (_, length), count in found.items() if length == HOUR_SECONDS) == 6
    assert sum(count for (_, length), count in found.items() if length == 60) == 72 - 24 - 6


moments = st.integers(0, 4 * 24 * 60)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(moments, moments, st.integers(1, 3)), min_size=1, max_size=40),
    st.sampled_from([60, 300, HOUR_SECONDS, 6 * HOUR_SECONDS, DAY_SECONDS, 32 * DAY_SECONDS]),
    st.lists(st.sampled_from(["minute", "hour"]), max_size=2),
)
def test_each_duration_is_counted_once_whatever_the_clock_did(
    tmp_path_factory: pytest.TempPathFactory,
    written_at: list[tuple[int, int, int]],
    by_seconds: int,
    gone: list[str],
) -> None:
    written = Written(tmp_path_factory.mktemp("points") / "history.sqlite3")
    for at, now, count in written_at:  # late, early and again, in any order
        written.now = float(DAY + 60 * now)
        written.minute(DAY + 60 * at, *[0.5] * count)
    connection = written.file.connection()
    for level in gone:
        row = connection.execute(
            "SELECT epoch FROM packed WHERE step_seconds = ? LIMIT 1", (LEVEL_SECONDS[level],)
        ).fetchone()
        finest = min(gone, key=LEVEL_SECONDS.__getitem__)
        if row and level == finest:
            with connection:
                connection.execute(
                    "DELETE FROM packed WHERE step_seconds = ? AND epoch = ?",
                    (LEVEL_SECONDS[level], row[0]),
                )

    found = written.counts(0, DAY + 10 * DAY_SECONDS, by_seconds)

    assert sum(found.values()) == sum(count for *_, count in written_at)
    written.file.close()


def test_each_level_is_kept_for_its_own_days(tmp_path: Path) -> None:
    written = Written(tmp_path / "history.sqlite3", minute=1, hour=3, day=20)
    for hour in range(10 * 24):
        written.now = float(DAY + hour * HOUR_SECONDS)
        written.file.add_days({int(written.now // DAY_SECONDS): float(HOUR_SECONDS)})
        written.minute(int(written.now), 0.5)
        written.file.forget()

    found = written.counts(DAY, written.now + 60, 60)

    lengths = [length for _, length in found]
    assert lengths == [DAY_SECONDS] * 6 + [HOUR_SECONDS] * 48 + [60] * 48
    assert sum(found.values()) == 240
    written.file.fold(written.now)
    assert written.file.oldest == {
        "minute": DAY + 8 * DAY_SECONDS,
        "hour": DAY + 6 * DAY_SECONDS,
        "day": DAY,
    }


def test_points_are_read_while_they_are_written_and_afterwards(disk: Disk) -> None:
    journal = disk.open()
    for _ in range(130):
        journal.publish(timed(0.5))
        assert comes_true(lambda: not journal._waiting)
        disk.clock.passes(60)
    assert comes_true(lambda: durations(disk).count >= 129)
    journal.close(PATIENCE_SECONDS)
    query = PointQuery(check="search", since_epoch=START, until_epoch=disk.clock.now)

    found = read_points(disk.path, [SERVER, "main/another"], query)

    assert sum(each.durations.count for each in found[SERVER]) == 130
    assert found["main/another"] == ()


def test_points_of_a_file_that_is_not_there_or_broken_are_an_error(disk: Disk) -> None:
    query = PointQuery(check="search", since_epoch=START, until_epoch=START + 3600)
    with pytest.raises(HistoryError, match="no history"):
        read_points(disk.path, [SERVER], query)
    journal = disk.open()
    journal.publish(timed(0.5))
    journal.close(PATIENCE_SECONDS)
    disk.sql("UPDATE fresh SET times = x'00ff'")

    with pytest.raises(HistoryError, match=r"history\.sqlite3"):
        read_points(disk.path, [SERVER], query)


def test_a_full_file_loses_minutes_before_hours_and_no_change(disk: Disk) -> None:
    journal = disk.open(max_bytes=TINY_BYTES)
    publish_many(journal, 50)
    minutes_of(disk, journal, 400)
    journal.close(PATIENCE_SECONDS)

    assert disk.path.stat().st_size <= TINY_BYTES
    assert journal.cuts["minute"] > 0
    assert (journal.cuts["day"], journal.cuts["change"], journal.errors) == (0, 0, 0)
    assert journal.lost_points == 0
    assert len(stored(disk.open())) == 50
    assert durations(disk, check=f"{'x' * 100}7").count == 400
    assert journal.oldest["minute"] > START + 3600


def test_minutes_of_a_clock_that_was_wrong_go_before_those_of_now(disk: Disk) -> None:
    journal = disk.open(max_bytes=TINY_BYTES)
    disk.clock.now += 100 * DAY_SECONDS
    minutes_of(disk, journal, 200)
    disk.clock.now -= 100 * DAY_SECONDS
    minutes_of(disk, journal, 400)
    journal.close(PATIENCE_SECONDS)

    epochs = [row[0] for row in disk.sql("SELECT epoch FROM packed WHERE step_seconds = 60")[0]]
    assert journal.cuts["minute"] > 0
    assert max(epochs) < START + 50 * DAY_SECONDS
    assert journal.errors == 0


def test_a_full_history_is_logged_once_an_hour(
    disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger("ldaphealth.store.history").setLevel(logging.WARNING)
    journal = disk.open(max_bytes=TINY_BYTES)
    begin = disk.clock.seconds
    minutes_of(disk, journal, 400)
    journal.close(PATIENCE_SECONDS)

    lines = [each for each in caplog.records if "the history is full" in each.message]
    assert 1 <= len(lines) <= (disk.clock.seconds - begin) / CUTS_SECONDS + 1
    assert lines[-1].__dict__["minute_cuts"] > 0


def test_a_full_disk_loses_no_minute_for_a_while(disk: Disk) -> None:
    journal = disk.open()
    journal.publish(changed(serving(SERVER)))
    assert comes_true(lambda: bool(stored(journal)))
    with files_no_larger_than(disk.path.with_name(disk.path.name + "-wal").stat().st_size):
        for _ in range(5):
            journal.publish(timed(0.5))
            assert comes_true(lambda: not journal._waiting)
            disk.clock.passes(60)
        assert comes_true(lambda: journal.errors > 0)
    disk.clock.passes(RETRY_SECONDS + 1)
    journal.publish(timed(0.5))
    assert comes_true(lambda: durations(disk).count == 5)
    assert journal.lost_points == 0


def test_what_a_disk_costs_that_stays_away_is_counted(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "MAX_KEPT_MINUTES", 50)
    disk.directory.rmdir()
    journal = disk.open()
    minutes = 60
    for _ in range(minutes):
        journal.publish(timed(0.5))
        assert comes_true(lambda: not journal._waiting)
        disk.clock.passes(60)
    journal.publish(timed(0.5))
    assert comes_true(lambda: journal.lost_points >= 10)

    disk.directory.mkdir()
    disk.clock.passes(RETRY_SECONDS + 60)
    journal.publish(timed(0.5))

    assert comes_true(lambda: durations(disk).count + journal.lost_points == minutes + 1)
    assert durations(disk).count >= 50
