"""The history on disk: changes of verdicts and baselines, and histograms of durations by minute.

The agent publishes into it. A thread of its own writes, so that a slow, full or broken disk never
delays probes and publishers. `ldaphealth history` shows it.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from math import inf
from pathlib import Path
from queue import Empty, Full, Queue
from typing import Any

import msgspec

from ldaphealth.clocks import EpochSeconds, epoch_seconds
from ldaphealth.live.histogram import Histogram, histogram_of, merged
from ldaphealth.model import AnyObservation, Verdict
from ldaphealth.publishers.publication import BaselineChange, Publication, VerdictChange
from ldaphealth.sinks.json_document import rfc3339, verdict_document

log = logging.getLogger(__name__)

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
COLUMNS = {
    "change": {"id", "epoch", "server", "document"},
    "minute": {"epoch", "server", "name", "spread"},
}
MINUTE_SECONDS = 60
DAY_SECONDS = 86400
CLEAN_SECONDS = 3600.0
RETRY_SECONDS = 10.0
FULL_PART = 10  # a full file loses a tenth of its minutes
BUSY_SECONDS = 1.0
MAX_WAITING = 1000  # publications; with a thousand servers a disk may hang for about a minute
PAGE_BYTES = 4096

MinuteKey = tuple[int, str, str]  # start of the minute, server ID, name of the operation


class HistoryError(Exception):
    """The history cannot be read. The message is one line with the reason."""


class HistoryDatabase:
    """One SQLite file (WAL), written by one thread.

    `errors` counts failed writes, `lost` the changes of verdicts and publications not written.
    """

    def __init__(
        self,
        path: Path,
        *,
        keep_days: int,
        max_bytes: int,
        clock: Callable[[], EpochSeconds] = epoch_seconds,
    ) -> None:
        self._path, self._keep_days, self._max_bytes = path, keep_days, max_bytes
        self._clock = clock
        self._waiting: Queue[tuple[EpochSeconds, Publication] | None] = Queue(MAX_WAITING)
        self._minutes: dict[MinuteKey, list[float]] = defaultdict(list)
        self._changes: list[tuple[EpochSeconds, VerdictChange | BaselineChange]] = []
        self._connection: sqlite3.Connection | None = None
        self._retry_at = self._clean_at = -inf
        self.lost = 0
        self.errors = 0
        self._writer = threading.Thread(target=self._write_until_close, name="history", daemon=True)
        self._writer.start()

    def publish(self, decided: Publication) -> None:
        """Queue what is new, without waiting for the disk."""
        try:
            self._waiting.put_nowait((self._clock(), decided))
        except Full:
            self.lost += 1

    def close(self, timeout_seconds: float = 1.0) -> None:
        """Write what is queued, and end. What is not written by the timeout is lost."""
        with contextlib.suppress(Full):
            self._waiting.put_nowait(None)
            self._writer.join(timeout_seconds)

    def changes(
        self, server: str, limit: int, before_epoch: EpochSeconds | None
    ) -> list[dict[str, Any]]:
        """Return the latest changes of one server, a cluster or of all, newest first; HistoryError.

        Each has a verdict, or a new baseline of a cluster.
        """
        query = (
            "SELECT document FROM change WHERE (?1 = '' OR server = ?1 OR "
            "substr(server, 1, length(?1) + 1) = ?1 || '/') AND epoch <= ?2 "
            "ORDER BY epoch DESC, id DESC LIMIT ?3"
        )
        until = before_epoch if before_epoch is not None else self._clock()
        with self._reading() as connection:
            rows = connection.execute(query, (server, until, limit)).fetchall()
        try:
            return [msgspec.json.decode(document) for (document,) in rows]
        except ValueError as error:
            raise HistoryError(f"{self._path}: {error}") from error

    def durations(self, server: str, name: str, since_epoch: EpochSeconds) -> Histogram:
        """Return the histogram of the durations of one operation since then; HistoryError."""
        query = "SELECT spread FROM minute WHERE server = ? AND name = ? AND epoch >= ?"
        with self._reading() as connection:
            rows = connection.execute(query, (server, name, since_epoch)).fetchall()
        try:
            return merged(msgspec.json.decode(each, type=Histogram) for (each,) in rows)
        except ValueError as error:
            raise HistoryError(f"{self._path}: {error}") from error

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            uri = f"{self._path.absolute().as_uri()}?mode=ro"
            with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS)) as found:
                yield found
        except sqlite3.Error as error:
            raise HistoryError(f"{self._path}: {error}") from error

    def _write_until_close(self) -> None:
        while True:
            is_open = self._receive()
            now = self._clock()
            if _is_due(now, self._retry_at, RETRY_SECONDS):
                self._write(now, everything=not is_open)
            if not is_open:
                break
        if self._connection is not None:
            self._connection.close()

    def _receive(self) -> bool:
        """Wait up to a second for publications and take all of them. False: it is closed."""
        try:
            entry = self._waiting.get(timeout=1.0)
            while entry is not None:
                epoch, decided = entry
                self._changes += [(epoch, baseline) for baseline in decided.baselines]
                self._changes += [(epoch, change) for change in decided.changes]
                for observation in decided.seen:
                    self._add_times(epoch, observation)
                entry = self._waiting.get_nowait()
        except Empty:
            return True
        return False

    def _add_times(self, epoch: EpochSeconds, observation: AnyObservation) -> None:
        minute = int(epoch) // MINUTE_SECONDS * MINUTE_SECONDS
        for operation, seconds in observation.timings.items():
            name = f"{observation.check}.{operation}_seconds"
            self._minutes[minute, observation.server, name].append(seconds)

    def _write(self, now: EpochSeconds, *, everything: bool) -> None:
        current = int(now) // MINUTE_SECONDS * MINUTE_SECONDS
        done = [key for key in self._minutes if everything or key[0] != current]
        if not (done or self._changes):
            return
        try:
            try:
                self._store(now, done)
            except sqlite3.OperationalError as error:
                if "full" not in str(error) or self._connection is None:
                    raise
                self._drop_the_oldest(self._connection)
                self._store(now, done)
        except Exception as error:  # no error may end the thread
            self._give_up(now, error)
        for key in done:
            del self._minutes[key]
        self._changes.clear()

    def _store(self, now: EpochSeconds, done: list[MinuteKey]) -> None:
        self._close_removed_file()
        connection = self._connection = self._connection or self._open()
        self._clean(connection, now)  # first, to make room in a full file
        with connection:
            connection.executemany(
                "INSERT INTO change (epoch, server, document) VALUES (?, ?, ?)",
                [
                    (epoch, _subject(change), msgspec.json.encode(_document(epoch, change)))
                    for epoch, change in self._changes
                ],
            )
            for key in done:
                self._add(connection, key, histogram_of(self._minutes[key]))

    def _close_removed_file(self) -> None:
        """Close a file that is no longer at its path, because it would never be read."""
        if self._connection is None:
            return
        try:
            current = self._path.stat()
        except FileNotFoundError:
            current = None
        if current is None or (current.st_dev, current.st_ino) != self._file:
            self._connection.close()
            self._connection = None

    def _drop_the_oldest(self, connection: sqlite3.Connection) -> None:
        """Delete the oldest minutes of a file that has reached its maximum size."""
        with connection:
            (count,) = connection.execute("SELECT count(*) FROM minute").fetchone()
            rows = connection.execute(
                "SELECT epoch FROM minute ORDER BY epoch LIMIT 1 OFFSET ?", (count // FULL_PART,)
            ).fetchone()
            if rows:
                connection.execute("DELETE FROM minute WHERE epoch <= ?", rows)

    def _clean(self, connection: sqlite3.Connection, now: EpochSeconds) -> None:
        if _is_due(now, self._clean_at, CLEAN_SECONDS):
            self._clean_at = now + CLEAN_SECONDS
            oldest = now - self._keep_days * DAY_SECONDS
            with connection:
                connection.execute("DELETE FROM change WHERE epoch < ?", (oldest,))
                connection.execute("DELETE FROM minute WHERE epoch < ?", (oldest,))

    def _add(self, connection: sqlite3.Connection, key: MinuteKey, point: Histogram) -> None:
        where = "WHERE epoch = ? AND server = ? AND name = ?"
        row = connection.execute(f"SELECT spread FROM minute {where}", key).fetchone()  # noqa: S608
        if row:  # the agent was restarted within the minute
            with contextlib.suppress(ValueError):  # a broken one is replaced
                point = merged((msgspec.json.decode(row[0], type=Histogram), point))
        connection.execute(
            "INSERT OR REPLACE INTO minute VALUES (?, ?, ?, ?)", (*key, msgspec.json.encode(point))
        )

    def _open(self) -> sqlite3.Connection:
        """Open the file. One that is broken or of another version is replaced by a new one."""
        try:
            return self._connect()
        except sqlite3.OperationalError:
            raise  # full, locked, no permission: the file itself may be good
        except sqlite3.DatabaseError as error:
            self._set_aside(str(error))
            return self._connect()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=BUSY_SECONDS, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(f"PRAGMA max_page_count = {self._max_bytes // PAGE_BYTES}")
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version == 0:
                _refuse_other_tables(connection)
                connection.executescript(
                    f"BEGIN; {SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT"
                )
            _refuse_other_schemas(connection)
        except BaseException:
            connection.close()
            raise
        found = self._path.stat()
        self._file = found.st_dev, found.st_ino
        return connection

    def _set_aside(self, reason: str) -> None:
        aside = self._path.with_name(f"{self._path.name}.broken-{int(self._clock())}")
        for end in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                self._path.with_name(self._path.name + end).rename(f"{aside}{end}")
        message = "the history is broken; a new one is created"
        log.error(message, extra={"kept_as": str(aside), "error": reason})

    def _give_up(self, now: EpochSeconds, error: Exception) -> None:
        """Drop what was to be written, so that memory stays bounded, and try again later."""
        self.errors += 1
        self.lost += len(self._changes)
        self._retry_at = now + RETRY_SECONDS
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        broken = isinstance(error, sqlite3.DatabaseError) and not isinstance(
            error, sqlite3.OperationalError
        )
        log.error("cannot write the history", extra={"path": str(self._path), "error": str(error)})
        if broken:
            with contextlib.suppress(OSError):
                self._set_aside(str(error))


def _is_due(now: EpochSeconds, at: EpochSeconds, wait_seconds: float) -> bool:
    """Return whether `at` has passed, or the time of day was set back to before the wait."""
    return not at - wait_seconds <= now < at


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


def _subject(change: VerdictChange | BaselineChange) -> str:
    """Return what a change is of: a server ID, or the name of a cluster."""
    return change.cluster if isinstance(change, BaselineChange) else change.after.server


def baseline_document(change: BaselineChange) -> dict[str, Any]:
    """Return a new baseline for JSON."""
    return msgspec.to_builtins(change)  # type: ignore[no-any-return]


def _document(epoch: EpochSeconds, change: VerdictChange | BaselineChange) -> dict[str, Any]:
    if isinstance(change, BaselineChange):
        return {"at": rfc3339(epoch), "baseline": baseline_document(change)}
    before: Verdict | None = change.before
    return {
        "at": rfc3339(epoch),
        "was_in_service": before.in_service if before else None,
        "lasted_seconds": before.lasted_seconds if before else None,
        "verdict": verdict_document(change.after),
    }
