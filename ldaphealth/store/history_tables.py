"""The tables of the history: opened and checked, written, and bounded in size and age.

`history.py` calls these functions in the thread that writes. They raise sqlite3.Error.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from math import inf
from pathlib import Path

import msgspec

from ldaphealth.clocks import EpochSeconds
from ldaphealth.histogram import Histogram, merged

SCHEMA_VERSION = 1
SCHEMA = """
CREATE TABLE change (
    id INTEGER PRIMARY KEY, epoch REAL NOT NULL, server TEXT NOT NULL, document BLOB NOT NULL
);
CREATE INDEX change_by_server ON change (server, epoch);
CREATE INDEX change_by_time ON change (epoch);
CREATE TABLE minute (
    epoch INTEGER NOT NULL, server TEXT NOT NULL, name TEXT NOT NULL, spread BLOB NOT NULL,
    PRIMARY KEY (epoch, server, name)
) WITHOUT ROWID;
"""
# Days since 1970, and for how many seconds of each the agent wrote. Older files lack the table.
DAYS = "CREATE TABLE IF NOT EXISTS day (day INTEGER PRIMARY KEY, seconds REAL NOT NULL)"
DAYS_OF_MINUTES = """
INSERT INTO day SELECT epoch / 86400, 60 * count(DISTINCT epoch) FROM minute
WHERE NOT EXISTS (SELECT 1 FROM day) GROUP BY epoch / 86400
"""
COLUMNS = {
    "change": {"id", "epoch", "server", "document"},
    "minute": {"epoch", "server", "name", "spread"},
}
MODE = 0o640  # the files that SQLite makes beside it get the same mode
DAY_SECONDS = 86400
SEEN_SECONDS = 3600.0  # a day in which the agent ran for less does not count
BUSY_SECONDS = 1.0
PAGE_BYTES = 4096
CACHE_KIB = 256  # of pages; SQLite's default of 2 MiB (PRAGMA cache_size) fills within an hour
FULL_PART = 10  # a full file loses a tenth of its oldest rows at a time
SPARE_PAGES = 16  # for the inner pages of tables and indexes
ROW_BYTES = 100  # of a row and its entries in indexes, beside the document

MinuteKey = tuple[int, str, str]  # start of the minute, server ID, name of the operation
ChangeRow = tuple[EpochSeconds, str, bytes]  # time, server ID, document


def open_history(path: Path, max_bytes: int) -> sqlite3.Connection:
    """Open the file, or create it with its tables. sqlite3.DatabaseError: it is none of this kind.

    sqlite3.OperationalError: it is full, locked or may not be read, but may be good.
    """
    _set_mode(path)
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        connection.execute(f"PRAGMA max_page_count = {max_bytes // PAGE_BYTES}")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == 0:
            _refuse_other_tables(connection)
            connection.executescript(
                f"BEGIN; {SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT"
            )
        _refuse_other_schemas(connection)
        with connection:
            make_room(connection, max_bytes, (), inf)  # an older file may have no page left
            connection.execute(DAYS)
            connection.execute(DAYS_OF_MINUTES)
    except BaseException:
        connection.close()
        raise
    return connection


def add_changes(connection: sqlite3.Connection, rows: Iterable[ChangeRow]) -> None:
    """Add changes of verdicts. Their order is the one in which they were made."""
    connection.executemany("INSERT INTO change (epoch, server, document) VALUES (?, ?, ?)", rows)


def add_minutes(connection: sqlite3.Connection, minutes: Mapping[MinuteKey, Histogram]) -> None:
    """Add histograms. One of the same minute, from before a restart, is merged."""
    query = "SELECT spread FROM minute WHERE epoch = ? AND server = ? AND name = ?"
    for key, point in minutes.items():
        row = connection.execute(query, key).fetchone()
        whole = point
        if row:
            with contextlib.suppress(ValueError):  # a broken one is replaced
                whole = merged((msgspec.json.decode(row[0], type=Histogram), point))
        connection.execute(
            "INSERT OR REPLACE INTO minute VALUES (?, ?, ?, ?)", (*key, msgspec.json.encode(whole))
        )


def add_days(connection: sqlite3.Connection, seconds: Mapping[int, float]) -> None:
    """Add for how long the agent ran on which days."""
    connection.executemany(
        "INSERT INTO day VALUES (?, ?) "
        "ON CONFLICT DO UPDATE SET seconds = seconds + excluded.seconds",
        seconds.items(),
    )


def make_room(
    connection: sqlite3.Connection, max_bytes: int, sizes: Sequence[int], now: EpochSeconds
) -> None:
    """Delete the oldest rows until rows of these sizes fit, in bytes.

    SQLite reports a full file and a full disk by the same error. So room is made before, and a full
    disk deletes nothing.
    """
    needed_bytes = 2 * sum(sizes) + ROW_BYTES * len(sizes)  # pages are half full at the worst
    allowed = max_bytes // PAGE_BYTES - SPARE_PAGES - needed_bytes // PAGE_BYTES
    while _used_pages(connection) > allowed:
        if not _delete_oldest(connection, now):
            break


def forget(connection: sqlite3.Connection, keep_days: int) -> None:
    """Delete what is older than the newest `keep_days` days on which the agent ran, and today.

    A clock that is wrong for a while makes one more day at most, and so nothing old. What was
    written after younger rows is not old either, whatever its time is.
    """
    row = connection.execute(
        "SELECT day FROM day WHERE seconds >= ? ORDER BY day DESC LIMIT 1 OFFSET ?",
        (SEEN_SECONDS, keep_days),
    ).fetchone()
    if row is None:
        return
    oldest = row[0] * DAY_SECONDS
    with connection:
        connection.execute(
            "DELETE FROM change WHERE epoch < ?1 "
            "AND id < coalesce((SELECT min(id) FROM change WHERE epoch >= ?1), ?2)",
            (oldest, 1 << 62),
        )
        connection.execute("DELETE FROM minute WHERE epoch < ?", (oldest,))
        connection.execute("DELETE FROM day WHERE day < ?", row)


def _set_mode(path: Path) -> None:
    """Create the file, or correct its mode and those of the files beside it.

    An existing file is not opened: to close it would release the locks of SQLite (fcntl(2)).
    sqlite3.OperationalError: it cannot be created.
    """
    try:
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE))
        for end in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError, PermissionError):
                path.with_name(path.name + end).chmod(MODE)
    except OSError as error:
        raise sqlite3.OperationalError(str(error)) from error


def _refuse_other_tables(connection: sqlite3.Connection) -> None:
    if connection.execute("SELECT 1 FROM sqlite_master").fetchone():
        raise sqlite3.DatabaseError("an incomplete history, or another database")


def _refuse_other_schemas(connection: sqlite3.Connection) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version != SCHEMA_VERSION:
        raise sqlite3.DatabaseError(f"version {version}; this program knows {SCHEMA_VERSION}")
    for table, columns in COLUMNS.items():
        found = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
        if not found >= columns:
            raise sqlite3.DatabaseError(f"the table {table!r} lacks columns")


def _used_pages(connection: sqlite3.Connection) -> int:
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    return int(pages - free)


def _delete_oldest(connection: sqlite3.Connection, now: EpochSeconds) -> bool:
    """Delete a tenth of the table that uses more space; return whether there was any."""
    changes, change_bytes = connection.execute(
        "SELECT count(*), coalesce(sum(length(document)), 0) FROM change"
    ).fetchone()
    minutes, minute_bytes = connection.execute(
        "SELECT count(*), coalesce(sum(length(spread)), 0) FROM minute"
    ).fetchone()
    if not (changes or minutes):
        return False
    if change_bytes > minute_bytes:
        connection.execute(
            "DELETE FROM change WHERE id <= (SELECT id FROM change ORDER BY id LIMIT 1 OFFSET ?)",
            (changes // FULL_PART,),
        )
    else:
        _delete_oldest_minutes(connection, now, minutes // FULL_PART + 1)
    return True


def _delete_oldest_minutes(connection: sqlite3.Connection, now: EpochSeconds, count: int) -> None:
    """Delete so many. Those of a clock that was wrong go first: they are in the future."""
    for condition in ("epoch > ?1", "epoch <= ?1"):
        (bound,) = connection.execute(
            f"SELECT max(epoch) FROM (SELECT epoch FROM minute WHERE {condition} "  # noqa: S608
            "ORDER BY epoch LIMIT ?2)",
            (now, count),
        ).fetchone()
        if bound is not None:
            connection.execute(
                f"DELETE FROM minute WHERE {condition} AND epoch <= ?2",  # noqa: S608
                (now, bound),
            )
            return
