"""The history on disk: every change of a verdict with its reasons, and times folded by the minute.

The agent publishes into it; a thread of its own writes, so that a slow, full or broken disk never
stops looking and telling. `history` reads it.
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
from ldaphealth.publishers.publication import Publication, VerdictChange
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
MAX_WAITING = 1000  # decisions; a thousand servers fill it in about a minute of a stuck disk
PAGE_BYTES = 4096

Folded = dict[tuple[int, str, str], list[float]]


class HistoryError(Exception):
    """Why the history cannot be read, in one line."""


class HistoryDatabase:
    """One SQLite file (WAL), written by one thread. `lost` counts decisions not written."""

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
        self._folding: Folded = defaultdict(list)
        self._changes: list[tuple[EpochSeconds, VerdictChange]] = []
        self._connection: sqlite3.Connection | None = None
        self._retry_at = self._clean_at = -inf
        self.lost = 0
        self.errors = 0
        self._writer = threading.Thread(target=self._write_for_ever, name="journal", daemon=True)
        self._writer.start()

    def publish(self, decided: Publication) -> None:
        """Note what is new; without waiting, whatever the disk does."""
        try:
            self._waiting.put_nowait((self._clock(), decided))
        except Full:
            self.lost += 1

    def close(self, patience_seconds: float = 1.0) -> None:
        """Write what waits, and end; what takes longer is lost."""
        with contextlib.suppress(Full):
            self._waiting.put_nowait(None)
            self._writer.join(patience_seconds)

    def changes(
        self, server: str, limit: int, before_epoch: EpochSeconds | None
    ) -> list[dict[str, Any]]:
        """Return the latest changes, newest first, of one server or of all; JournalError."""
        query = (
            "SELECT document FROM change WHERE (?1 = '' OR server = ?1) AND epoch <= ?2 "
            "ORDER BY epoch DESC, id DESC LIMIT ?3"
        )
        until = before_epoch if before_epoch is not None else self._clock()
        with self._reading() as connection:
            rows = connection.execute(query, (server, until, limit)).fetchall()
        try:
            return [msgspec.json.decode(document) for (document,) in rows]
        except ValueError as error:
            raise HistoryError(f"{self._path}: {error}") from error

    def spread(self, server: str, name: str, since_epoch: EpochSeconds) -> Histogram:
        """Return how the numbers of one name were spread since then; JournalError."""
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

    def _write_for_ever(self) -> None:
        while True:
            going_on = self._take()
            now = self._clock()
            if _is_due(now, self._retry_at, RETRY_SECONDS):
                self._write(now, everything=not going_on)
            if not going_on:
                break
        if self._connection is not None:
            self._connection.close()

    def _take(self) -> bool:
        """Take what waits, for up to a second; False: this was the last."""
        try:
            letter = self._waiting.get(timeout=1.0)
            while letter is not None:
                epoch, decided = letter
                self._changes += [(epoch, change) for change in decided.changes]
                for observation in decided.seen:
                    self._fold(epoch, observation)
                letter = self._waiting.get_nowait()
        except Empty:
            return True
        return False

    def _fold(self, epoch: EpochSeconds, observation: AnyObservation) -> None:
        minute = int(epoch) // MINUTE_SECONDS * MINUTE_SECONDS
        for operation, seconds in observation.timings.items():
            name = f"{observation.check}.{operation}_seconds"
            self._folding[minute, observation.server, name].append(seconds)

    def _write(self, now: EpochSeconds, *, everything: bool) -> None:
        current = int(now) // MINUTE_SECONDS * MINUTE_SECONDS
        done = [key for key in self._folding if everything or key[0] != current]
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
        except Exception as error:  # the thread must go on, whatever it was
            self._give_up(now, error)
        for key in done:
            del self._folding[key]
        self._changes.clear()

    def _store(self, now: EpochSeconds, done: list[tuple[int, str, str]]) -> None:
        self._forget_a_removed_file()
        connection = self._connection = self._connection or self._open()
        self._clean(connection, now)  # first: a full file must get room before anything is added
        with connection:
            connection.executemany(
                "INSERT INTO change (epoch, server, document) VALUES (?, ?, ?)",
                [
                    (epoch, change.after.server, msgspec.json.encode(_document(epoch, change)))
                    for epoch, change in self._changes
                ],
            )
            for key in done:
                self._add(connection, key, histogram_of(self._folding[key]))

    def _forget_a_removed_file(self) -> None:
        """Close a file that is not at its path any more: nobody would ever read it."""
        if self._connection is None:
            return
        try:
            here = self._path.stat()
        except FileNotFoundError:
            here = None
        if here is None or (here.st_dev, here.st_ino) != self._file:
            self._connection.close()
            self._connection = None

    def _drop_the_oldest(self, connection: sqlite3.Connection) -> None:
        """Make room in a file that has reached its largest size: the newest is worth more."""
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

    def _add(
        self, connection: sqlite3.Connection, key: tuple[int, str, str], point: Histogram
    ) -> None:
        where = "WHERE epoch = ? AND server = ? AND name = ?"
        row = connection.execute(f"SELECT spread FROM minute {where}", key).fetchone()  # noqa: S608
        if row:  # the agent was restarted within the minute
            with contextlib.suppress(ValueError):  # a broken one is replaced
                point = merged((msgspec.json.decode(row[0], type=Histogram), point))
        connection.execute(
            "INSERT OR REPLACE INTO minute VALUES (?, ?, ?, ?)", (*key, msgspec.json.encode(point))
        )

    def _open(self) -> sqlite3.Connection:
        """Open the file, or one anew where it is broken or of another version."""
        try:
            return self._opened()
        except sqlite3.OperationalError:
            raise  # full, locked, no right: the file itself may be good
        except sqlite3.DatabaseError as error:
            self._set_aside(str(error))
            return self._opened()

    def _opened(self) -> sqlite3.Connection:
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
            _refuse_others(connection)
        except BaseException:
            connection.close()
            raise
        found = self._path.stat()
        self._file = found.st_dev, found.st_ino
        return connection

    def _set_aside(self, why: str) -> None:
        aside = self._path.with_name(f"{self._path.name}.broken-{int(self._clock())}")
        for end in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                self._path.with_name(self._path.name + end).rename(f"{aside}{end}")
        log.error("the history was broken: begun anew", extra={"kept_as": str(aside), "error": why})

    def _give_up(self, now: EpochSeconds, error: Exception) -> None:
        """Lose what was to be written, and try again in a while: memory is bounded too."""
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
    """Tell whether the time has come, also where the clock of the day stepped back."""
    return not at - wait_seconds <= now < at


def _refuse_other_tables(connection: sqlite3.Connection) -> None:
    if connection.execute("SELECT 1 FROM sqlite_master").fetchone():
        raise sqlite3.DatabaseError("half made, or not ours")


def _refuse_others(connection: sqlite3.Connection) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version != SCHEMA_VERSION:
        raise sqlite3.DatabaseError(f"version {version}; this program knows {SCHEMA_VERSION}")
    for table, columns in COLUMNS.items():
        found = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
        if not found >= columns:
            raise sqlite3.DatabaseError(f"the table {table!r} is not ours")


def _document(epoch: EpochSeconds, change: VerdictChange) -> dict[str, Any]:
    before: Verdict | None = change.before
    return {
        "at": rfc3339(epoch),
        "was_in_service": before.in_service if before else None,
        "lasted_seconds": before.lasted_seconds if before else None,
        "verdict": verdict_document(change.after),
    }
