"""The history is kept over restarts, and no error of the disk ever stops the agent."""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing

import pytest
from msgspec.structs import replace

from ldaphealth.clocks import DAY_SECONDS
from ldaphealth.control.explanation_lines import past_lines
from ldaphealth.histogram import histogram_of
from ldaphealth.model import OverrideNote
from ldaphealth.publishers.publication import BaselineChange, VerdictChange
from ldaphealth.store.history import (
    CLEAN_SECONDS,
    MAX_WAITING,
    RETRY_SECONDS,
    HistoryDatabase,
)
from ldaphealth.store.history_reading import HistoryError, read_changes
from ldaphealth.store.history_tables import CHANGES, SCHEMA_VERSION
from tests import lateness
from tests.files.limits import files_no_larger_than, umask
from tests.sinks.snapshots import serving, silent
from tests.store.disk import (
    PATIENCE_SECONDS,
    SERVER,
    SMALL_BYTES,
    START,
    Disk,
    StuckWriter,
    changed,
    comes_true,
    days_pass,
    durations,
    publish_many,
    stored,
    timed,
)


def goes_on(journal: HistoryDatabase, disk: Disk, server: str = "main/later") -> bool:
    """Return whether the history is written again, some time after an error."""
    disk.clock.passes(RETRY_SECONDS + 1)
    journal.publish(changed(serving(server)))
    return lateness.comes_true(lambda: stored(journal, server) == [server], 2.5)


def test_a_new_baseline_is_kept_with_what_it_replaced(disk: Disk) -> None:
    journal = disk.open()
    replaced = {"dc=a": {"001": {"had": "new", "has": None}}}
    baseline = BaselineChange(
        cluster="main", check="replication", accepted_by="operator", summary="", replaced=replaced
    )
    journal.publish(replace(changed(serving("main2/a")), baselines=[baseline]))
    journal.publish(changed(serving(SERVER)))

    assert comes_true(lambda: len(stored(journal)) == 3)
    assert stored(journal) == [SERVER, "main2/a", "main"]
    assert stored(journal, "main") == [SERVER, "main"]
    assert stored(journal, SERVER) == [SERVER]
    [document] = [each for each in journal.changes("main", 9, None) if "baseline" in each]
    assert document["baseline"] == {
        "cluster": "main",
        "check": "replication",
        "accepted_by": "operator",
        "summary": "",
        "replaced": replaced,
    }


def test_a_change_that_an_older_version_stored_is_still_shown(disk: Disk) -> None:
    journal = disk.open()
    journal.publish(changed(silent(SERVER)))
    assert comes_true(lambda: stored(journal) == [SERVER])
    disk.sql(
        "UPDATE change SET document = CAST(json_remove(CAST(document AS TEXT), "
        "'$.verdict.plain', '$.verdict.reasons[0].removes', '$.verdict.override_in_force', "
        "'$.override_ended') AS BLOB)"
    )

    (change,) = journal.changes(SERVER, 1, None)

    assert "plain" not in change["verdict"]
    since, head, reason, *_ = past_lines(change)
    assert since == "since 2027-01-15T08:00:00Z"
    assert head == f"VERDICT  {SERVER} OUT of service, CRITICAL, weight 0"
    assert reason.startswith("  CRITICAL  bind.timeout: no answer to the bind")


def test_an_override_is_kept_also_after_it_was_taken_back(disk: Disk) -> None:
    note = OverrideNote(action="drain", by="alice", reason="new kernel", until_epoch=START + 60)
    drained = replace(serving(SERVER), in_service=False, draining=True, override=note)
    back = VerdictChange(drained, serving(SERVER), "bob")
    journal = disk.open()
    journal.publish(changed(drained))
    journal.publish(replace(changed(serving(SERVER)), changes=(back,)))
    assert comes_true(lambda: len(stored(journal)) == 2)

    after, during = journal.changes(SERVER, 2, None)
    words = "drained by alice until 2027-01-15T08:01:00Z: new kernel"

    assert f"  ordered: {words}" in past_lines(during)
    assert f"  override taken back by bob: {words}" in past_lines(after)


@pytest.mark.parametrize("is_writing", [True, False])
def test_the_history_is_read_without_an_agent(disk: Disk, is_writing: bool) -> None:
    journal = disk.open()
    journal.publish(changed(serving(SERVER)))
    assert comes_true(lambda: stored(journal) == [SERVER])
    if not is_writing:
        journal.close()
    before = sorted(path.name for path in disk.directory.iterdir())

    (change,) = read_changes(disk.path, SERVER, 5, None)

    assert change["verdict"]["server"] == SERVER
    assert sorted(path.name for path in disk.directory.iterdir()) == before


def test_a_history_that_is_not_there_is_an_error_and_none_is_made(disk: Disk) -> None:
    with pytest.raises(HistoryError, match="no history"):
        read_changes(disk.path, "", 5, None)

    assert not disk.path.exists()


def publishes_at_once(journal: HistoryDatabase, number: int = 100) -> bool:
    with lateness.Stopwatch() as watch:
        for _ in range(number):
            journal.publish(changed(silent(SERVER)))
    return watch.seconds < 0.5


def test_a_change_is_told_as_it_was(disk: Disk) -> None:
    journal = disk.open()
    before = replace(serving(SERVER), lasted_seconds=123.5)
    journal.publish(changed(silent(SERVER), before))
    assert comes_true(lambda: bool(stored(journal)))

    (change,) = journal.changes("", 10, None)

    assert change["at"] == "2027-01-15T08:00:00.000Z"
    assert change["was_in_service"] is True
    assert change["lasted_seconds"] == 123.5
    assert change["verdict"]["server"] == SERVER
    assert change["verdict"]["in_service"] is False
    assert change["verdict"]["reasons"][0]["code"] == "bind.timeout"


def test_a_first_verdict_has_nothing_before_it(disk: Disk) -> None:
    journal = disk.open()
    journal.publish(changed(serving(SERVER)))
    assert comes_true(lambda: bool(stored(journal)))

    (change,) = journal.changes("", 10, None)

    assert (change["was_in_service"], change["lasted_seconds"]) == (None, None)


def test_changes_come_newest_first_also_within_one_moment(disk: Disk) -> None:
    journal = disk.open()
    for number in range(6):
        disk.clock.now = START + number // 2
        journal.publish(changed(serving(f"main/s{number}")))
    assert comes_true(lambda: len(stored(journal)) == 6)

    assert stored(journal) == [f"main/s{number}" for number in (5, 4, 3, 2, 1, 0)]
    assert stored(journal, limit=2) == ["main/s5", "main/s4"]
    assert stored(journal, "main/s3") == ["main/s3"]
    assert stored(journal, "main/s") == []
    earlier = journal.changes("", 2, START + 1.5)
    assert [change["verdict"]["server"] for change in earlier] == ["main/s3", "main/s2"]


def test_a_name_is_no_pattern_and_no_sql(disk: Disk) -> None:
    journal = disk.open()
    journal.publish(changed(serving("main/s1")))
    assert comes_true(lambda: bool(stored(journal)))

    for name in ("main/%", "' OR 1=1 --", "main/s_", "\0", "?1"):
        assert stored(journal, name) == []


def test_what_waits_is_written_before_the_end(disk: Disk) -> None:
    journal = disk.open()
    for number in range(500):
        journal.publish(changed(serving(f"main/s{number}")))
    journal.close(PATIENCE_SECONDS)

    assert len(stored(disk.open())) == 500
    assert journal.lost == 0


def test_the_numbers_of_a_minute_add_up_over_restarts(disk: Disk) -> None:
    numbers = [0.001 * number for number in range(1, 31)]
    for part in range(3):
        journal = disk.open()
        for number in numbers[part::3]:
            journal.publish(timed(number))
            disk.clock.now += 1
        journal.close(PATIENCE_SECONDS)

    told = durations(disk, START)

    whole = histogram_of(numbers)
    assert (told.count, told.least, told.most) == (30, whole.least, whole.most)
    assert told.buckets == whole.buckets
    assert told.sum == pytest.approx(whole.sum)
    assert disk.sql("SELECT count(*) FROM fresh") == [[(1,)]]


def test_a_minute_is_written_when_it_is_over_and_not_before(disk: Disk) -> None:
    journal = disk.open()
    journal.publish(changed(serving(SERVER)))
    journal.publish(timed(0.5))
    disk.clock.passes(30)
    journal.publish(timed(0.25))
    assert comes_true(lambda: bool(stored(journal)))
    assert durations(disk).count == 0

    disk.clock.passes(31)
    journal.publish(timed(1.0))

    assert comes_true(lambda: durations(disk).count == 2)
    assert durations(disk, START + 60).count == 0
    assert durations(disk, server="main/another").count == 0
    assert durations(disk, operation="bind").count == 0


def forgets(disk: Disk, journal: HistoryDatabase, server: str) -> bool:
    """Return whether it cleans, with this change as the newest."""
    disk.clock.passes(CLEAN_SECONDS)
    journal.publish(changed(serving(server)))
    return comes_true(lambda: stored(journal)[:1] == [server])


def test_what_is_older_than_asked_is_forgotten(disk: Disk) -> None:
    journal = disk.open(keep_days=7)
    journal.publish(changed(serving("main/old")))
    journal.publish(timed(0.5))
    days_pass(disk, journal, 6)
    assert forgets(disk, journal, "main/young")
    assert stored(journal) == ["main/young", "main/old"]
    assert comes_true(lambda: durations(disk).count == 1)

    days_pass(disk, journal, 2)
    assert forgets(disk, journal, "main/new")

    assert stored(journal) == ["main/new", "main/young"]
    assert durations(disk).count == 0


def test_what_an_agent_did_not_see_is_no_time_that_passed(disk: Disk) -> None:
    journal = disk.open(keep_days=7)
    assert forgets(disk, journal, "main/old")

    disk.clock.now += 300 * DAY_SECONDS  # it was switched off, or the clock is wrong
    for _ in range(20):
        assert forgets(disk, journal, "main/young")

    assert "main/old" in stored(journal)


@pytest.mark.parametrize("days", [100, -100, -20_000], ids=["forward", "back", "to 1970"])
def test_a_step_of_the_clock_erases_nothing_and_is_logged(
    disk: Disk, caplog: pytest.LogCaptureFixture, days: int
) -> None:
    logging.getLogger("ldaphealth.store.history").setLevel(logging.WARNING)
    journal = disk.open(keep_days=7)
    days_pass(disk, journal, 8)
    assert forgets(disk, journal, "main/before")

    disk.clock.now += days * DAY_SECONDS
    assert forgets(disk, journal, "main/meanwhile")
    disk.clock.now -= days * DAY_SECONDS
    assert forgets(disk, journal, "main/after")

    assert stored(journal) == ["main/after", "main/meanwhile", "main/before"]
    steps = [each for each in caplog.records if "time of day was changed" in each.message]
    assert [each.__dict__["by_seconds"] for each in steps] == [
        days * DAY_SECONDS,
        -days * DAY_SECONDS,
    ]


def test_an_adjustment_of_the_clock_is_no_step(
    disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger("ldaphealth.store.history").setLevel(logging.WARNING)
    journal = disk.open()
    for _ in range(100):
        disk.clock.passes(1.0)
        disk.clock.now += 0.5
        journal._note_time()

    assert not caplog.records


def test_a_full_file_loses_its_oldest_changes_and_never_the_newest(disk: Disk) -> None:
    journal = disk.open(max_bytes=SMALL_BYTES)
    publish_many(journal, 6000)
    assert comes_true(lambda: stored(journal, limit=1) == ["main/s5999"])

    kept = stored(journal, limit=10_000)

    assert kept == [f"main/s{5999 - n}" for n in range(len(kept))]
    assert 300 < len(kept) < 6000
    assert disk.path.stat().st_size <= SMALL_BYTES
    assert journal.cuts["change"] > 0
    assert sum(journal.cuts.values()) == journal.cuts["change"]
    assert (journal.lost, journal.errors) == (0, 0)


def test_a_full_disk_deletes_nothing_and_loses_nothing(disk: Disk) -> None:
    journal = disk.open()
    publish_many(journal, 100)
    assert comes_true(lambda: len(stored(journal)) == 100)
    before = disk.path.with_name(disk.path.name + "-wal").stat().st_size
    with files_no_larger_than(before):
        publish_many(journal, 100, first=100)
        assert comes_true(lambda: journal.errors > 0)
        assert len(stored(journal)) == 100

    assert goes_on(journal, disk)
    assert stored(journal)[1:] == [f"main/s{199 - n}" for n in range(200)]
    assert journal.lost == 0


def test_a_file_that_is_made_smaller_keeps_the_newest(disk: Disk) -> None:
    first = disk.open()
    publish_many(first, 2000)
    first.close(PATIENCE_SECONDS)
    journal = disk.open(max_bytes=SMALL_BYTES // 2)

    assert goes_on(journal, disk)

    kept = stored(journal)[1:]
    assert kept == [f"main/s{1999 - n}" for n in range(len(kept))]
    assert 0 < len(kept) < 1000


@pytest.mark.parametrize("bits", [0o000, 0o022, 0o077])
def test_the_files_are_for_the_agent_and_its_group_whatever_the_umask(
    disk: Disk, bits: int
) -> None:
    with umask(bits):
        journal = disk.open()
        journal.publish(changed(serving(SERVER)))
        assert comes_true(lambda: stored(journal) == [SERVER])

    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in disk.directory.iterdir()}
    names = ("history.sqlite3", "history.sqlite3-wal", "history.sqlite3-shm")
    assert modes == dict.fromkeys(names, 0o640)


@pytest.mark.parametrize("kind", ["FIFO", "directory", "link"])
def test_what_is_no_file_is_set_aside_and_never_waited_for(disk: Disk, kind: str) -> None:
    elsewhere = disk.directory.parent / "elsewhere"
    elsewhere.write_bytes(b"of another")
    make: dict[str, Callable[[], object]] = {
        "FIFO": lambda: os.mkfifo(disk.path),
        "directory": disk.path.mkdir,
        "link": lambda: disk.path.symlink_to(elsewhere),
    }
    make[kind]()
    journal = disk.open()
    with pytest.raises(HistoryError, match="not a regular file"):
        journal.changes("", 1, None)

    journal.publish(changed(serving(SERVER)))

    assert comes_true(lambda: stored(journal) == [SERVER])
    assert len([*disk.directory.glob("history.sqlite3.broken-*")]) == 1
    assert elsewhere.read_bytes() == b"of another"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"this is no database, but something else entirely" * 100, id="text"),
        pytest.param(b"SQLite format 3\0" + b"\xff" * 8192, id="a broken header"),
        pytest.param(b"\0" * 8192, id="zeros"),
        pytest.param(b"SQLite", id="short"),
    ],
)
def test_a_broken_file_is_set_aside_and_begun_anew(disk: Disk, content: bytes) -> None:
    disk.path.write_bytes(content)
    journal = disk.open()

    journal.publish(changed(serving(SERVER)))

    assert comes_true(lambda: stored(journal) == [SERVER])
    aside = disk.directory / f"history.sqlite3.broken-{int(START)}"
    assert aside.read_bytes() == content


def test_an_empty_file_is_used(disk: Disk) -> None:
    disk.path.touch()
    journal = disk.open()

    journal.publish(changed(serving(SERVER)))

    assert comes_true(lambda: stored(journal) == [SERVER])


def test_a_file_that_breaks_under_the_journal_is_begun_anew(disk: Disk) -> None:
    first = disk.open()
    for number in range(200):
        first.publish(changed(serving(f"main/s{number}")))
    first.close(PATIENCE_SECONDS)
    with disk.path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (disk.path.stat().st_size - 4096))
    journal = disk.open()

    journal.publish(changed(serving(SERVER)))
    assert comes_true(lambda: journal.errors > 0 or stored(journal) == [SERVER])

    assert goes_on(journal, disk)
    assert [*disk.directory.glob("history.sqlite3.broken-*")]


@pytest.mark.parametrize("version", [SCHEMA_VERSION + 1, -1])
def test_a_foreign_version_is_set_aside_whole(disk: Disk, version: int) -> None:
    disk.sql("CREATE TABLE future (x)", f"PRAGMA user_version = {version}")
    journal = disk.open()

    journal.publish(changed(serving(SERVER)))

    assert comes_true(lambda: stored(journal) == [SERVER])
    aside = disk.directory / f"history.sqlite3.broken-{int(START)}"
    with closing(sqlite3.connect(aside)) as kept:
        assert kept.execute("SELECT name FROM sqlite_master").fetchall() == [("future",)]


def test_a_schema_that_was_half_made_is_no_end(disk: Disk) -> None:
    disk.sql(CHANGES.split(";")[0])  # the disk was full, or the power went
    journal = disk.open()

    journal.publish(changed(serving(SERVER)))

    assert goes_on(journal, disk)


def test_a_file_without_our_tables_is_no_end(disk: Disk) -> None:
    disk.sql("CREATE TABLE foreign_one (x)", f"PRAGMA user_version = {SCHEMA_VERSION}")
    journal = disk.open()

    journal.publish(changed(serving(SERVER)))

    assert goes_on(journal, disk)


@pytest.mark.parametrize("opened", [False, True], ids=["before the start", "at work"])
def test_a_locked_file_never_blocks_publish_and_is_used_again(disk: Disk, opened: bool) -> None:
    journal = disk.open()
    if opened:
        journal.publish(changed(serving(SERVER)))
        assert comes_true(lambda: bool(stored(journal)))
    with closing(sqlite3.connect(disk.path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")

        assert publishes_at_once(journal)
        assert comes_true(lambda: journal.errors > 0)
        assert publishes_at_once(journal)
        other.execute("ROLLBACK")

    assert goes_on(journal, disk)
    assert journal.lost == 0
    assert stored(journal).count(SERVER) == 200 + opened
    assert not [*disk.directory.glob("*broken*")]


def test_a_directory_that_is_not_there_yet_is_waited_for(disk: Disk) -> None:
    disk.directory.rmdir()
    journal = disk.open()

    assert publishes_at_once(journal)
    assert comes_true(lambda: journal.errors > 0)
    with pytest.raises(HistoryError, match=r"history\.sqlite3"):
        journal.changes("", 1, None)

    disk.directory.mkdir()
    assert goes_on(journal, disk)


def test_a_directory_that_vanishes_stops_nobody(disk: Disk) -> None:
    journal = disk.open()
    journal.publish(changed(serving(SERVER)))
    assert comes_true(lambda: bool(stored(journal)))
    shutil.rmtree(disk.directory)

    assert publishes_at_once(journal)
    with pytest.raises(HistoryError):
        journal.changes("", 1, None)
    assert journal._writer.is_alive()


@pytest.mark.parametrize("whole", [True, False], ids=["the directory", "the file"])
def test_a_file_that_was_removed_is_begun_anew(disk: Disk, whole: bool) -> None:
    journal = disk.open()
    journal.publish(changed(serving(SERVER)))
    assert comes_true(lambda: bool(stored(journal)))
    if whole:
        shutil.rmtree(disk.directory)
        disk.directory.mkdir()
    else:
        for file in disk.directory.iterdir():
            file.unlink()

    assert goes_on(journal, disk) or goes_on(journal, disk, "main/at_last")


def test_a_stuck_disk_blocks_nobody_and_takes_no_memory_without_end(disk: Disk) -> None:
    disk.clock = stuck = StuckWriter()
    journal = disk.open()
    try:
        journal.publish(changed(serving(SERVER)))
        assert stuck.is_stuck.wait(PATIENCE_SECONDS)
        assert publishes_at_once(journal, 3 * MAX_WAITING)
        assert len(journal._waiting) == MAX_WAITING
        assert journal.lost == 2 * MAX_WAITING
        with lateness.Stopwatch() as watch:
            journal.close(0.2)
        assert watch.seconds < 1.0
    finally:
        stuck.release.set()


def test_close_waits_no_longer_than_its_patience(disk: Disk) -> None:
    disk.clock = stuck = StuckWriter()
    journal = disk.open()
    try:
        journal.publish(changed(serving(SERVER)))
        with lateness.Stopwatch() as watch:
            journal.close(0.2)
        assert watch.elapsed_seconds > 0.1
        assert watch.seconds < 1.0
    finally:
        stuck.release.set()


def test_close_ends_the_thread_and_the_file_is_whole(disk: Disk) -> None:
    journal = disk.open()
    journal.publish(changed(serving(SERVER)))
    journal.close(PATIENCE_SECONDS)

    assert not journal._writer.is_alive()
    assert disk.sql("PRAGMA integrity_check") == [[("ok",)]]
    assert [*disk.directory.iterdir()] == [disk.path]


def test_a_clock_that_steps_back_does_not_stop_a_history_without_trouble(disk: Disk) -> None:
    journal = disk.open()
    journal.publish(changed(serving(SERVER)))
    assert comes_true(lambda: bool(stored(journal)))

    disk.clock.now -= 86400

    assert goes_on(journal, disk)


def test_a_clock_that_steps_back_after_trouble_does_not_stop_the_history(disk: Disk) -> None:
    disk.directory.rmdir()
    journal = disk.open()
    journal.publish(changed(serving(SERVER)))
    assert comes_true(lambda: journal.errors > 0)
    disk.directory.mkdir()

    disk.clock.now -= 86400

    assert goes_on(journal, disk)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_row_that_is_broken_does_not_end_the_writer(disk: Disk) -> None:
    first = disk.open()
    first.publish(timed(0.5))
    first.close(PATIENCE_SECONDS)
    disk.sql("UPDATE fresh SET times = x'00ff'")
    journal = disk.open()
    journal.publish(timed(0.5))
    disk.clock.now += 61
    journal.publish(changed(serving(SERVER)))
    assert comes_true(lambda: not journal._waiting)

    assert goes_on(journal, disk)


def test_a_row_that_is_broken_is_told_to_who_asks(disk: Disk) -> None:
    journal = disk.open()
    journal.publish(changed(serving(SERVER)))
    assert comes_true(lambda: bool(stored(journal)))
    disk.sql("UPDATE change SET document = x'00ff'")

    with pytest.raises(HistoryError):
        journal.changes("", 10, None)


def test_a_file_that_was_set_aside_before_is_not_replaced(disk: Disk) -> None:
    names = [f"history.sqlite3.broken-{int(START)}{end}" for end in ("", "-2", "-3")]
    for name in names[:2]:
        (disk.directory / name).write_text("of before")
    disk.path.write_text("broken" * 1000)
    journal = disk.open()

    journal.publish(changed(serving(SERVER)))

    assert comes_true(lambda: stored(journal) == [SERVER])
    contents = [(disk.directory / name).read_text() for name in names]
    assert contents == ["of before", "of before", "broken" * 1000]


def test_a_history_that_nobody_wrote_yet_cannot_be_read(disk: Disk) -> None:
    with pytest.raises(HistoryError, match=r"history\.sqlite3: "):
        disk.open().changes("", 10, None)
