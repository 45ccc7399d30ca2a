"""A history of version 0.1 is taken over: changes at once, minutes piece by piece."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from itertools import repeat
from pathlib import Path

import pytest

from ldaphealth.clocks import DAY_SECONDS
from ldaphealth.histogram import merged
from ldaphealth.publishers.publication import Publication
from ldaphealth.store import old_history
from ldaphealth.store.history import HistoryDatabase
from ldaphealth.store.history_reading import HistoryError, read_changes
from ldaphealth.store.history_tables import SCHEMA_VERSION, open_history
from ldaphealth.store.points_reading import PointQuery, read_points
from tests.sinks.snapshots import serving
from tests.store.disk import (
    PATIENCE_SECONDS,
    SERVER,
    SMALL_BYTES,
    START,
    Disk,
    changed,
    comes_true,
    durations,
    stored,
)

# What version 0.1 ran to make its file, in these words.
VERSION_1 = """
CREATE TABLE change (
    id INTEGER PRIMARY KEY, epoch REAL NOT NULL, server TEXT NOT NULL, document BLOB NOT NULL
);
CREATE INDEX change_by_server ON change (server, epoch);
CREATE INDEX change_by_time ON change (epoch);
CREATE TABLE minute (
    epoch INTEGER NOT NULL, server TEXT NOT NULL, name TEXT NOT NULL, spread BLOB NOT NULL,
    PRIMARY KEY (epoch, server, name)
) WITHOUT ROWID;
PRAGMA user_version = 1;
"""
DAYS = "CREATE TABLE day (day INTEGER PRIMARY KEY, seconds REAL NOT NULL);"
# Of 0.5 s twice and 1 s once, in buckets of a quarter of an octave.
SPREAD = (
    b'{"count":3,"sum":2.0,"sum_of_squares":1.5,"least":0.5,"most":1.0,"buckets":{"-4":2,"0":1}}'
)
CHANGE = b'{"at": "2027-01-15T08:00:00.000Z", "verdict": {"server": "main/a"}}'
OLD = int(START) - 5 * 3600


def make(path: Path, minutes: int, *, days: bool = True) -> None:
    """Write a file of version 0.1 with a change, and two operations in each minute."""
    rows = [
        (OLD + 60 * minute, SERVER, name, SPREAD)
        for minute in range(minutes)
        for name in ("search.search_seconds", "propagation.from ldap2.example.com_seconds")
    ]
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(VERSION_1 + (DAYS if days else ""))
        connection.executemany("INSERT INTO minute VALUES (?, ?, ?, ?)", rows)
        connection.execute("INSERT INTO change VALUES (1, ?, 'main/a', ?)", (START, CHANGE))


def old_minutes_are_gone(disk: Disk) -> bool:
    query = f"SELECT count(*) FROM sqlite_master WHERE name = '{old_history.TABLE}'"  # noqa: S608
    return disk.sql(query) == [[(0,)]]


def after_a_second(disk: Disk, journal: HistoryDatabase, condition: Callable[[], bool]) -> bool:
    """Let a second pass, in which a piece is folded in; return whether it is true now."""
    disk.clock.passes(1.0)
    journal.publish(Publication(cluster="main", verdicts={}, due={}, changes=(), seen=()))
    return condition()


def test_changes_and_minutes_of_the_version_before_are_there(disk: Disk) -> None:
    make(disk.path, 290)
    journal = disk.open()

    journal.publish(changed(serving(SERVER)))

    assert comes_true(lambda: stored(journal) == [SERVER, "main/a"])
    assert comes_true(lambda: after_a_second(disk, journal, lambda: old_minutes_are_gone(disk)))
    disk.clock.passes(61.0)
    for operation, check in (("search", "search"), ("from ldap2.example.com", "propagation")):
        found = durations(disk, check=check, operation=operation)
        assert (found.count, found.least, found.most) == (870, 0.5, 1.0)
        assert found.sum == pytest.approx(580.0)
        assert found.quantile(0.5) == pytest.approx(0.5, rel=0.2)
    assert journal.errors == 0
    assert not [*disk.directory.glob("*broken*")]


def test_every_piece_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(old_history, "PIECE_ROWS", 7)
    path = tmp_path / "history.sqlite3"
    make(path, 30)
    pieces = 0
    while True:
        connection = open_history(path, SMALL_BYTES)  # as after a kill
        with closing(connection):
            if not old_history.fold_piece(connection):
                break
            pieces += 1
            (left,) = connection.execute(
                "SELECT count(*) FROM sqlite_master WHERE name = ?", (old_history.TABLE,)
            ).fetchone()
            rows = (
                connection.execute(f"SELECT count(*) FROM {old_history.TABLE}").fetchone()[0]  # noqa: S608
                if left
                else 0
            )
        query = PointQuery(check="search", since_epoch=0.0, until_epoch=START)
        other = PointQuery(check="propagation", since_epoch=0.0, until_epoch=START)
        found = [
            merged(each.durations for each in read_points(path, [SERVER], each_query)[SERVER]).count
            for each_query in (query, other)
        ]
        assert sum(found) == 3 * (60 - rows)
    assert pieces == 60 // 7 + 2


def test_a_row_that_is_broken_is_left_out(disk: Disk) -> None:
    make(disk.path, 10)
    disk.sql(f"UPDATE minute SET spread = x'00ff' WHERE epoch = {OLD}")  # noqa: S608
    journal = disk.open()

    journal.publish(changed(serving(SERVER)))

    assert comes_true(lambda: after_a_second(disk, journal, lambda: durations(disk).count == 27))
    assert journal.errors == 0


def test_a_file_without_days_knows_them_by_its_minutes(disk: Disk) -> None:
    make(disk.path, 0, days=False)
    first = int(START // DAY_SECONDS)
    for day in range(first - 9, first):
        rows = ",".join(f"({day * DAY_SECONDS + 60 * each}, 'a', 'b', x'00')" for each in range(61))
        disk.sql(f"INSERT INTO minute VALUES {rows}")  # noqa: S608
    disk.sql(f"UPDATE change SET epoch = {(first - 9) * DAY_SECONDS}")  # noqa: S608
    journal = disk.open(keep_days=7)

    journal.publish(changed(serving(SERVER)))

    assert comes_true(lambda: stored(journal) == [SERVER])


def test_a_file_that_is_full_to_the_last_page_goes_on(disk: Disk) -> None:
    make(disk.path, 0)
    with closing(sqlite3.connect(disk.path, isolation_level=None)) as before:
        before.execute(f"PRAGMA max_page_count = {SMALL_BYTES // 4096}")
        with pytest.raises(sqlite3.OperationalError, match="full"):
            before.executemany(
                "INSERT INTO change (epoch, server, document) VALUES (1, 'a', ?)",
                repeat((b'{"verdict": {"server": "a"}, "padding": "%s"}' % (b"x" * 3000),)),
            )
    journal = disk.open(max_bytes=SMALL_BYTES)

    journal.publish(changed(serving(SERVER)))

    assert comes_true(lambda: stored(journal)[:1] == [SERVER])
    assert journal.errors == 0
    assert 100 < stored(journal).count("a") < SMALL_BYTES // 4096
    assert journal.cuts["change"] > 0


def test_a_file_that_is_full_of_minutes_is_folded_in(disk: Disk) -> None:
    make(disk.path, 0)
    with closing(sqlite3.connect(disk.path, isolation_level=None)) as before:
        before.execute(f"PRAGMA max_page_count = {SMALL_BYTES // 4096}")
        rows = (
            (OLD + 60 * (n // 50), SERVER, f"c{n % 50}.search_seconds", SPREAD)
            for n in range(10**6)
        )
        with pytest.raises(sqlite3.OperationalError, match="full"):
            before.executemany("INSERT INTO minute VALUES (?, ?, ?, ?)", rows)
    journal = disk.open(max_bytes=SMALL_BYTES)

    journal.publish(changed(serving(SERVER)))

    assert comes_true(lambda: stored(journal) == [SERVER, "main/a"])
    assert comes_true(lambda: after_a_second(disk, journal, lambda: old_minutes_are_gone(disk)))
    assert durations(disk, check="c1").count > 100
    assert journal.errors == 0
    journal.close(PATIENCE_SECONDS)
    assert disk.sql("PRAGMA user_version", "PRAGMA integrity_check") == [
        [(SCHEMA_VERSION,)],
        [("ok",)],
    ]


def test_until_an_agent_starts_its_changes_can_be_read_and_its_points_not(disk: Disk) -> None:
    make(disk.path, 10)
    query = PointQuery(check="search", since_epoch=0.0, until_epoch=START)

    assert len(read_changes(disk.path, "", 5, None)) == 1
    with pytest.raises(HistoryError, match="the agent takes it over when it starts"):
        read_points(disk.path, [SERVER], query)
