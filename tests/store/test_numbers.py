"""Numbers of servers are kept by minutes, hours and days, and read again once each."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from itertools import groupby
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ldaphealth.clocks import DAY_SECONDS, HOUR_SECONDS
from ldaphealth.history.aggregate import Aggregate, aggregate_of, combined
from ldaphealth.history.kept_numbers import BY_KEY
from ldaphealth.model import AnyObservation, Finding, Metric, Observation, State, Verdict
from ldaphealth.publishers.publication import Publication
from ldaphealth.store.history_file import HistoryFile
from ldaphealth.store.history_reading import HistoryError
from ldaphealth.store.history_tables import open_history
from ldaphealth.store.number_rows import (
    number_points_blob,
    number_points_of,
    numbers_blob,
    numbers_of,
)
from ldaphealth.store.numbers_reading import NumberPeriods, NumberQuery, hours_of, read_numbers
from tests.store.disk import (
    PATIENCE_SECONDS,
    SERVER,
    SMALL_BYTES,
    START,
    Disk,
    bounds,
    comes_true,
    timed,
)

DAY = int(START) // DAY_SECONDS * DAY_SECONDS
BEHIND = "behind_seconds"

whole_numbers = st.integers(0, 2**14).map(float)  # so that sums are exact, too
aggregates = st.lists(whole_numbers, min_size=1, max_size=3).map(aggregate_of)
names = st.sampled_from([f"{BEHIND} 001", f"{BEHIND} 00f dc=a,dc=b", "connections", ""])
rows = st.dictionaries(names, st.dictionaries(st.integers(0, 59), aggregates, min_size=1))


class Written:
    """A file into which a test writes minutes at times of its own."""

    def __init__(self, path: Path, **days: int) -> None:
        self.path, self.now = path, float(DAY)
        self.file = HistoryFile(path, bounds(1000, 64 << 20, **days), lambda: self.now)

    def minute(self, at: int, *behind: float, label: str = "001") -> None:
        """Write how far a server was behind in a minute, and fold what is over by now."""
        numbers = {"replication": {f"{BEHIND} {label}": aggregate_of(behind)}}
        self.file.add_minutes({}, self.now, {(at // 60 * 60, SERVER): numbers})
        self.file.fold(self.now)

    def read(self, since: float, until: float, by_seconds: int) -> NumberPeriods:
        """Return the numbers of that time."""
        query = NumberQuery(
            check="replication",
            name=BEHIND,
            since_epoch=since,
            until_epoch=until,
            by_seconds=by_seconds,
        )
        return read_numbers(self.path, "", query, has_writer=True)


@pytest.fixture
def written(tmp_path: Path) -> Written:
    return Written(tmp_path / "history.sqlite3")


@given(rows)
def test_what_is_packed_is_read_again(points: dict[str, dict[int, Aggregate]]) -> None:
    found = number_points_of(number_points_blob(points))

    assert found == {name: dict(sorted(steps.items())) for name, steps in points.items()}


@given(st.dictionaries(names, st.dictionaries(names, aggregates)))
def test_what_is_fresh_is_read_again(numbers: dict[str, dict[str, Aggregate]]) -> None:
    assert numbers_of(numbers_blob(numbers)) == numbers


@pytest.mark.parametrize("read", [number_points_of, numbers_of])
@pytest.mark.parametrize("blob", [b"", b"x", number_points_blob({})[:-3], zlib.compress(b"\xc1")])
def test_what_is_broken_is_an_error(read: Callable[[bytes], object], blob: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read(blob)


@given(st.binary(max_size=60), rows)
def test_nothing_but_value_errors_come_of_any_bytes(
    noise: bytes, points: dict[str, dict[int, Aggregate]]
) -> None:
    blob = bytearray(number_points_blob(points))
    blob[len(blob) // 2 :] = noise
    for each in (noise, bytes(blob)):
        try:
            number_points_of(each)
        except ValueError:
            continue


def test_large_numbers_are_nearly_what_they_were() -> None:
    points = {"entries": {0: aggregate_of([1_234_567.0, 7e9])}}

    (found,) = number_points_of(number_points_blob(points))["entries"].values()

    assert found.least == pytest.approx(1_234_567.0, rel=1e-5)
    assert found.most == pytest.approx(7e9, rel=1e-5)


@given(st.lists(st.lists(whole_numbers, max_size=4), max_size=6))
def test_aggregates_of_parts_are_those_of_the_whole(parts: list[list[float]]) -> None:
    whole = aggregate_of(number for part in parts for number in part)

    assert combined(map(aggregate_of, parts)) == whole


def test_a_number_is_read_by_label_and_period(written: Written) -> None:
    for hour in range(50):
        for minute in (0, 7):
            written.now = float(DAY + hour * HOUR_SECONDS + minute * 60)
            written.minute(int(written.now), float(hour), float(minute))
            written.minute(int(written.now), 0.5, label="002")

    found = written.read(DAY, written.now + 60, DAY_SECONDS)[SERVER]

    assert [*found] == ["001", "002"]
    days = [each.numbers for each in found["001"]]
    assert [(each.count, each.least, each.most, each.last) for each in days] == [
        (96, 0.0, 23.0, 7.0),
        (96, 0.0, 47.0, 7.0),
        (8, 0.0, 49.0, 7.0),
    ]
    assert days[0].sum == 2 * sum(range(24)) + 24 * 7
    hours = written.read(DAY, written.now + 60, HOUR_SECONDS)[SERVER]["002"]
    assert [each.numbers.count for each in hours] == [2] * 50
    assert {each.seconds for each in hours} == {HOUR_SECONDS}


moments = st.integers(0, 4 * 24 * 60)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(moments, st.integers(0, 9)), min_size=1, max_size=40),
    st.sampled_from([60, HOUR_SECONDS, 6 * HOUR_SECONDS, DAY_SECONDS, 32 * DAY_SECONDS]),
)
def test_each_period_has_what_was_seen_in_it(
    tmp_path_factory: pytest.TempPathFactory, seen: list[tuple[int, int]], by_seconds: int
) -> None:
    written = Written(tmp_path_factory.mktemp("numbers") / "history.sqlite3")
    for minute, number in sorted(seen):
        written.now = float(DAY + 60 * minute)
        written.minute(int(written.now), float(number))

    found = written.read(0, DAY + 10 * DAY_SECONDS, by_seconds)[SERVER]["001"]

    def period_of(each: tuple[int, int]) -> int:
        return (DAY + 60 * each[0]) // by_seconds * by_seconds

    expected = {
        start: aggregate_of(float(number) for _, number in of_period)
        for start, of_period in groupby(sorted(seen), key=period_of)
    }
    assert {int(each.start_epoch): each.numbers for each in found} == expected
    written.file.close()


def test_minutes_are_forgotten_and_hours_stay(tmp_path: Path) -> None:
    written = Written(tmp_path / "history.sqlite3", minute=1, hour=3, day=20)
    for hour in range(10 * 24):
        written.now = float(DAY + hour * HOUR_SECONDS)
        written.file.add_days({int(written.now // DAY_SECONDS): float(HOUR_SECONDS)})
        written.minute(int(written.now), 0.5)
        written.file.forget()

    found = written.read(DAY, written.now + 60, 60)[SERVER]["001"]

    lengths = [each.seconds for each in found]
    assert lengths == [DAY_SECONDS] * 6 + [HOUR_SECONDS] * 48 + [60] * 48
    assert sum(each.numbers.count for each in found) == 240


def test_a_full_file_loses_minutes_of_numbers_and_no_hour(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite3"
    file = HistoryFile(path, bounds(1000, SMALL_BYTES // 4), lambda: START)
    for minute in range(600):
        now = START + 60 * minute
        numbers = {
            "replication": {
                f"{BEHIND} {label:03x}": aggregate_of([minute * label * 7919 % 9973 / 7])
                for label in range(1, 65)
            }
        }
        file.add_minutes({}, now, {(int(now), SERVER): numbers})
        file.fold(now)
    query = NumberQuery(
        check="replication", name=BEHIND, since_epoch=START, until_epoch=now + 60, by_seconds=3600
    )

    found = read_numbers(path, SERVER, query, has_writer=True)[SERVER]

    assert path.stat().st_size <= SMALL_BYTES // 4
    assert file.cuts["minute"] > 0
    assert (file.cuts["hour"], file.cuts["day"]) == (0, 0)
    assert [sum(each.numbers.count for each in of) for of in found.values()] == [600] * 64


def behind(seconds: float, *, fails: bool = False) -> Publication:
    """Return a publication of a round in which a server is so far behind in two server IDs."""
    finding = Finding(
        server=SERVER,
        check="replication",
        state=State.OK,
        code="ok",
        summary="",
        metrics=(
            Metric(BEHIND, seconds, label="001"),
            Metric(BEHIND, 0.0, label="00a"),
            Metric("csn_gap_seconds", 7.0, label="001"),
        ),
    )
    verdict = Verdict(server=SERVER, state=State.OK, in_service=True, weight=1, findings=(finding,))
    seen: AnyObservation = Observation(
        server=SERVER,
        check="replication",
        started_at=0.0,
        duration_seconds=0.0,
        facts=None if fails else finding,
    )
    return Publication(cluster="main", verdicts={SERVER: verdict}, due={}, changes=(), seen=(seen,))


def test_numbers_of_publications_are_kept_unless_the_check_failed(disk: Disk) -> None:
    journal = disk.open()
    for seconds in (1.0, 5.0, 2.0):
        journal.publish(behind(seconds))
    journal.publish(behind(9.0, fails=True))
    journal.close(PATIENCE_SECONDS)
    query = NumberQuery(check="replication", name=BEHIND, since_epoch=START, until_epoch=START + 60)

    found = read_numbers(disk.path, "main", query)

    assert {
        label: [each.numbers for each in periods] for label, periods in found[SERVER].items()
    } == {
        "001": [Aggregate(count=3, sum=8.0, least=1.0, most=5.0, last=2.0)],
        "00a": [Aggregate(count=3, sum=0.0, least=0.0, most=0.0, last=0.0)],
    }
    assert read_numbers(disk.path, "other", query) == {}


def test_a_history_from_before_numbers_gets_them(disk: Disk) -> None:
    journal = disk.open()
    journal.publish(timed(0.5))
    journal.close(PATIENCE_SECONDS)
    disk.sql("DROP TABLE fresh_number", "DROP TABLE packed_number")
    query = NumberQuery(
        check="replication", name=BEHIND, since_epoch=START, until_epoch=START + 120
    )
    assert read_numbers(disk.path, "", query) == {}

    again = disk.open()
    again.publish(behind(1.0))
    disk.clock.passes(61.0)

    assert comes_true(lambda: bool(read_numbers(disk.path, "", query, has_writer=True)))
    assert not [*disk.directory.glob("*broken*")]


def test_numbers_that_are_broken_are_an_error(disk: Disk) -> None:
    journal = disk.open()
    journal.publish(behind(1.0))
    journal.close(PATIENCE_SECONDS)
    disk.sql("UPDATE fresh_number SET numbers = x'00ff'")
    query = NumberQuery(check="replication", name=BEHIND, since_epoch=START, until_epoch=START + 60)

    with pytest.raises(HistoryError, match=r"history\.sqlite3"):
        read_numbers(disk.path, "", query)


def test_a_table_that_lacks_columns_is_another_database(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite3"
    with open_history(path, SMALL_BYTES) as connection:
        connection.execute("DROP TABLE packed_number")
        connection.execute("CREATE TABLE packed_number (x)")
    connection.close()

    with pytest.raises(Exception, match="lacks columns"):
        open_history(path, SMALL_BYTES)


def test_the_last_weeks_are_read_by_the_hour_with_the_most_of_each(written: Written) -> None:
    for hour in range(40 * 24):
        written.now = float(DAY + hour * HOUR_SECONDS)
        written.minute(int(written.now), float(hour), float(hour + 1))
    connection = written.file.connection()
    with connection:  # of the first of these days only the day is left
        connection.execute(
            "DELETE FROM packed_number WHERE step_seconds = 3600 AND epoch < ?",
            (DAY + 15 * DAY_SECONDS,),
        )

    found = hours_of(written.path, SERVER, BY_KEY["replication.behind_seconds"], written.now + 60)

    first = DAY // HOUR_SECONDS
    assert found == {"001": {first + hour: float(hour + 1) for hour in range(15 * 24, 40 * 24)}}
    assert hours_of(written.path, SERVER, BY_KEY["resources.connections"], written.now) == {}
