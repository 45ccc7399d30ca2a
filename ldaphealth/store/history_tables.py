"""The tables of the history: opened and checked; changes of verdicts, and the days of the agent.

`history.py` calls these functions in the thread that writes. They raise sqlite3.Error.
`history_points.py` has the tables of points, `history_room.py` bounds all of them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path

from ldaphealth.clocks import DAY_SECONDS, EpochSeconds
from ldaphealth.store import old_history
from ldaphealth.store.database import PAGE_BYTES, make_file, page_bytes, refuse_lacking, version_of
from ldaphealth.store.levels import CHANGE, LEVELS, Bounds
from ldaphealth.store.point_tables import KINDS

SCHEMA_VERSION = 2
CHANGES = """
CREATE TABLE change (
    id INTEGER PRIMARY KEY, epoch REAL NOT NULL, server TEXT NOT NULL, document BLOB NOT NULL
);
CREATE INDEX change_by_server ON change (server, epoch);
CREATE INDEX change_by_time ON change (epoch);
"""
# Points of rows of `packed` that are not over: a row for each server and step.
# The others: a row for each server, check and hour (of minutes), day (of hours) or 32 days.
# Days since 1970, and for how many seconds of each the agent wrote.
POINTS = """
CREATE TABLE fresh (
    step_seconds INTEGER NOT NULL, epoch INTEGER NOT NULL, server TEXT NOT NULL,
    times BLOB NOT NULL, PRIMARY KEY (step_seconds, epoch, server)
);
CREATE TABLE packed (
    step_seconds INTEGER NOT NULL, epoch INTEGER NOT NULL, server TEXT NOT NULL,
    "check" TEXT NOT NULL, points BLOB NOT NULL, PRIMARY KEY (step_seconds, epoch, server, "check")
);
CREATE TABLE IF NOT EXISTS day (day INTEGER PRIMARY KEY, seconds REAL NOT NULL);
"""
# The same for numbers, whose rows are shorter. A file of this version may lack them, from before
# there were numbers; a program of then leaves them alone.
NUMBERS = """
CREATE TABLE IF NOT EXISTS fresh_number (
    step_seconds INTEGER NOT NULL, epoch INTEGER NOT NULL, server TEXT NOT NULL,
    numbers BLOB NOT NULL, PRIMARY KEY (step_seconds, epoch, server)
);
CREATE TABLE IF NOT EXISTS packed_number (
    step_seconds INTEGER NOT NULL, epoch INTEGER NOT NULL, server TEXT NOT NULL,
    "check" TEXT NOT NULL, points BLOB NOT NULL, PRIMARY KEY (step_seconds, epoch, server, "check")
) WITHOUT ROWID;
"""
COLUMNS = {
    "change": {"id", "epoch", "server", "document"},
    "fresh": {"step_seconds", "epoch", "server", "times"},
    "packed": {"step_seconds", "epoch", "server", "check", "points"},
    "fresh_number": {"step_seconds", "epoch", "server", "numbers"},
    "packed_number": {"step_seconds", "epoch", "server", "check", "points"},
    "day": {"day", "seconds"},
}
SEEN_SECONDS = 3600.0  # a day in which the agent ran for less does not count
BUSY_SECONDS = 1.0
LOG_BYTES = 1 << 20  # of the write-ahead log, between two transactions that are larger
CACHE_KIB = 256  # of pages; SQLite's default of 2 MiB (PRAGMA cache_size) fills within an hour

ChangeRow = tuple[EpochSeconds, str, bytes]  # time, server ID, document


def open_history(path: Path, max_bytes: int) -> sqlite3.Connection:
    """Open the file, or create it with its tables. sqlite3.DatabaseError: it is none of this kind.

    The tables of version 1 become those of this one; `old_history.py` folds its minutes in later.
    sqlite3.OperationalError: it is full, locked or may not be read, but may be good.
    """
    make_file(path)
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, check_same_thread=False)
    try:
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")  # of a new file
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA journal_size_limit = {LOG_BYTES}")
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        connection.execute(f"PRAGMA max_page_count = {max_bytes // page_bytes(connection)}")
        version = version_of(connection)
        if version == 0:
            _refuse_other_tables(connection)
            _run(connection, CHANGES + POINTS)
        elif version == old_history.VERSION:
            refuse_lacking(connection, old_history.COLUMNS)
            old_history.make_room(connection, max_bytes)
            _run(connection, old_history.BEGIN_MIGRATION + POINTS + old_history.DAYS)
        _refuse_other_versions(connection)
        connection.executescript(f"BEGIN; {NUMBERS} COMMIT")
        refuse_lacking(connection, COLUMNS)
    except BaseException:
        connection.close()
        raise
    return connection


def add_changes(connection: sqlite3.Connection, rows: Iterable[ChangeRow]) -> None:
    """Add changes of verdicts. Their order is the one in which they were made."""
    connection.executemany("INSERT INTO change (epoch, server, document) VALUES (?, ?, ?)", rows)


def add_days(connection: sqlite3.Connection, seconds: Mapping[int, float]) -> None:
    """Add for how long the agent ran on which days."""
    connection.executemany(
        "INSERT INTO day VALUES (?, ?) "
        "ON CONFLICT DO UPDATE SET seconds = seconds + excluded.seconds",
        seconds.items(),
    )


def forget(connection: sqlite3.Connection, bounds: Bounds) -> bool:
    """Delete what is older than the newest days on which the agent ran, and today, by level.

    Return whether there were changes among it.

    A clock that is wrong for a while makes one more day at most, and so nothing old. A change that
    was written after younger ones is not old either, whatever its time is.
    """
    oldest = {name: _oldest_day(connection, days) for name, days in bounds.days.items()}
    with connection:
        for level in LEVELS:
            epoch = oldest[level.name] * DAY_SECONDS
            for kind in KINDS:
                connection.execute(
                    f"DELETE FROM {kind.packed} WHERE step_seconds = ? AND epoch <= ?",  # noqa: S608
                    (level.step_seconds, epoch - level.row_seconds),
                )
                connection.execute(
                    f"DELETE FROM {kind.fresh} WHERE step_seconds = ? AND epoch < ?",  # noqa: S608
                    (level.step_seconds, epoch),
                )
        changes = connection.execute(
            "DELETE FROM change WHERE epoch < ?1 "
            "AND id < coalesce((SELECT min(id) FROM change WHERE epoch >= ?1), ?2)",
            (oldest[CHANGE] * DAY_SECONDS, 1 << 62),
        )
        connection.execute("DELETE FROM day WHERE day < ?", (min(oldest.values()),))
    return changes.rowcount > 0


def _oldest_day(connection: sqlite3.Connection, keep_days: int) -> int:
    """Return the first day that is kept, in days since 1970; a very early one if all are."""
    row = connection.execute(
        "SELECT day FROM day WHERE seconds >= ? ORDER BY day DESC LIMIT 1 OFFSET ?",
        (SEEN_SECONDS, keep_days),
    ).fetchone()
    return int(row[0]) if row else -(1 << 40)


def _run(connection: sqlite3.Connection, statements: str) -> None:
    """Run statements and set the version, all or nothing."""
    connection.executescript(f"BEGIN; {statements} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT")


def _refuse_other_tables(connection: sqlite3.Connection) -> None:
    if connection.execute("SELECT 1 FROM sqlite_master").fetchone():
        raise sqlite3.DatabaseError("an incomplete history, or another database")


def _refuse_other_versions(connection: sqlite3.Connection) -> None:
    version = version_of(connection)
    if version != SCHEMA_VERSION:
        raise sqlite3.DatabaseError(f"version {version}; this program knows {SCHEMA_VERSION}")
