"""The history on disk: changes of verdicts and baselines, and histograms of durations by minute.

The agent publishes into it. A thread of its own writes, so that a slow, full or broken disk never
delays probes and publishers. `ldaphealth history` shows it. `history_tables.py` has the tables.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from math import inf
from pathlib import Path
from queue import Empty, Full, Queue
from typing import Any

import msgspec

from ldaphealth.clocks import BootSeconds, EpochSeconds, boot_seconds, epoch_seconds
from ldaphealth.files.regular_file import refuse_other_kinds
from ldaphealth.files.set_aside import set_aside
from ldaphealth.histogram import Histogram, histogram_of, merged
from ldaphealth.model import AnyObservation, Verdict
from ldaphealth.publishers.publication import (
    BaselineChange,
    Publication,
    VerdictChange,
    ended_override_document,
)
from ldaphealth.publishers.shadow_publication import (
    ShadowChange,
    ShadowPublication,
    shadow_document,
)
from ldaphealth.sinks.json_document import rfc3339, verdict_document
from ldaphealth.store import history_tables
from ldaphealth.store.history_reading import HistoryError, read_changes, reading
from ldaphealth.store.history_tables import DAY_SECONDS, MinuteKey

log = logging.getLogger(__name__)

MINUTE_SECONDS = 60
CLEAN_SECONDS = 3600.0
RETRY_SECONDS = 10.0
BATCH_ROWS = 20  # are written together; room is made for so many at a time
STEP_SECONDS = 5.0  # a difference between the clocks that is no adjustment by NTP
LONGEST_SECONDS = 120.0  # between two writes, or the agent did not run meanwhile
MAX_WAITING = 1000  # publications; with a thousand servers a disk may hang for about a minute
MAX_KEPT = 5000  # changes, while the file cannot be written


AnyPublication = Publication | ShadowPublication
AnyChange = VerdictChange | BaselineChange | ShadowChange


class HistoryDatabase:
    """One SQLite file (WAL), written by one thread.

    `clock` dates what is written. `running` measures time, also that which counts for `keep_days`.
    `errors` counts failed writes, `lost` the changes of verdicts and publications not written: the
    oldest ones.
    """

    def __init__(
        self,
        path: Path,
        *,
        keep_days: int,
        max_bytes: int,
        clock: Callable[[], EpochSeconds] = epoch_seconds,
        running: Callable[[], BootSeconds] = boot_seconds,
    ) -> None:
        self._path, self._keep_days, self._max_bytes = path, keep_days, max_bytes
        self._clock, self._running = clock, running
        self._waiting: Queue[tuple[EpochSeconds, AnyPublication] | None] = Queue(MAX_WAITING)
        self._minutes: dict[MinuteKey, list[float]] = defaultdict(list)
        self._changes: list[tuple[EpochSeconds, AnyChange]] = []
        self._days: dict[int, float] = defaultdict(float)  # seconds that are not written yet
        self._connection: sqlite3.Connection | None = None
        self._retry_at = self._clean_at = -inf
        self._difference: float | None = None  # of the two clocks
        self._noted_at = running()
        self.lost = 0
        self.errors = 0
        self._writer = threading.Thread(target=self._write_until_close, name="history", daemon=True)
        self._writer.start()

    def publish(self, decided: Publication) -> None:
        """Queue what is new, without waiting for the disk. A full queue loses its oldest."""
        self._queue(decided)

    def publish_shadow(self, decided: ShadowPublication) -> None:
        """Queue what a shadow would have changed. It is kept apart from verdicts."""
        if decided.changes:
            self._queue(decided)

    def _queue(self, decided: AnyPublication) -> None:
        entry = self._clock(), decided
        while True:
            try:
                self._waiting.put_nowait(entry)
            except Full:
                with contextlib.suppress(Empty):
                    self._waiting.get_nowait()
                    self.lost += 1
            else:
                return

    def close(self, timeout_seconds: float = 1.0) -> None:
        """Write what is queued, and end. What is not written by the timeout is lost."""
        with contextlib.suppress(Full):
            self._waiting.put_nowait(None)
            self._writer.join(timeout_seconds)

    def changes(
        self, server: str, limit: int, before_epoch: EpochSeconds | None
    ) -> list[dict[str, Any]]:
        """Return the latest changes of one server, a cluster or of all, newest first; HistoryError.

        Each has a verdict, or a new baseline of a cluster. The newest is the one that was written
        last, also if the time of day was set back before.
        """
        return read_changes(self._path, server, limit, before_epoch, has_writer=True)

    def durations(self, server: str, name: str, since_epoch: EpochSeconds) -> Histogram:
        """Return the histogram of the durations of one operation since then; HistoryError."""
        query = "SELECT spread FROM minute WHERE server = ? AND name = ? AND epoch >= ?"
        with reading(self._path, has_writer=True) as connection:
            rows = connection.execute(query, (server, name, since_epoch)).fetchall()
        try:
            return merged(msgspec.json.decode(each, type=Histogram) for (each,) in rows)
        except ValueError as error:
            raise HistoryError(f"{self._path}: {error}") from error

    def _write_until_close(self) -> None:
        while True:
            is_open = self._receive()
            now = self._note_time()
            if self._noted_at >= self._retry_at or not is_open:
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
                if isinstance(decided, Publication):
                    self._changes += [(epoch, baseline) for baseline in decided.baselines]
                    for observation in decided.seen:
                        self._add_times(epoch, observation)
                self._changes += [(epoch, change) for change in decided.changes]
                entry = self._waiting.get_nowait()
        except Empty:
            return True
        return False

    def _add_times(self, epoch: EpochSeconds, observation: AnyObservation) -> None:
        minute = int(epoch) // MINUTE_SECONDS * MINUTE_SECONDS
        for operation, seconds in observation.timings.items():
            name = f"{observation.check}.{operation}_seconds"
            self._minutes[minute, observation.server, name].append(seconds)

    def _note_time(self) -> EpochSeconds:
        """Return the time of day. Log a step of it, and count the time that the agent ran."""
        before, now, running = self._running(), self._clock(), self._running()
        self._days[int(now // DAY_SECONDS)] += min(running - self._noted_at, LONGEST_SECONDS)
        self._noted_at = running
        if running - before > 1.0:  # the process stood still between the two clocks
            return now
        difference = now - running
        step = difference - (difference if self._difference is None else self._difference)
        self._difference = difference
        if abs(step) >= STEP_SECONDS:
            message = "the time of day was changed; the history keeps what is in it"
            log.warning(message, extra={"by_seconds": round(step)})
        return now

    def _write(self, now: EpochSeconds, *, everything: bool) -> None:
        current = int(now) // MINUTE_SECONDS * MINUTE_SECONDS
        done = [key for key in self._minutes if everything or key[0] != current]
        if not (done or self._changes):
            return
        try:
            self._store(now, done)
        except (sqlite3.Error, OSError) as error:
            self._give_up(error)
        except Exception as error:  # no error may end the thread
            self.lost += len(self._changes)
            self._changes.clear()
            self._give_up(error)
        for key in done:
            self._minutes.pop(key, None)

    def _store(self, now: EpochSeconds, done: Sequence[MinuteKey]) -> None:
        self._close_removed_file()
        connection = self._connection = self._connection or self._open()
        with connection:
            history_tables.add_days(connection, self._days)
        self._days.clear()
        if self._noted_at >= self._clean_at:
            self._clean_at = self._noted_at + CLEAN_SECONDS
            history_tables.forget(connection, self._keep_days)
        while self._changes:
            self._store_changes(connection, now)
        for first in range(0, len(done), BATCH_ROWS):
            self._store_minutes(connection, now, done[first : first + BATCH_ROWS])

    def _store_changes(self, connection: sqlite3.Connection, now: EpochSeconds) -> None:
        batch = self._changes[:BATCH_ROWS]
        rows = [
            (epoch, _subject(change), msgspec.json.encode(_document(epoch, change)))
            for epoch, change in batch
        ]
        sizes = [len(document) for _, _, document in rows]
        with connection:
            history_tables.make_room(connection, self._max_bytes, sizes, now)
            history_tables.add_changes(connection, rows)
        del self._changes[: len(batch)]

    def _store_minutes(
        self, connection: sqlite3.Connection, now: EpochSeconds, keys: Sequence[MinuteKey]
    ) -> None:
        minutes = {key: histogram_of(self._minutes[key]) for key in keys}
        sizes = [len(msgspec.json.encode((key, each))) for key, each in minutes.items()]
        with connection:
            history_tables.make_room(connection, self._max_bytes, sizes, now)
            history_tables.add_minutes(connection, minutes)
        for key in keys:
            del self._minutes[key]

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

    def _open(self) -> sqlite3.Connection:
        """Open the file. One that is damaged or of another version is replaced by a new one."""
        try:
            refuse_other_kinds(self._path)
            connection = history_tables.open_history(self._path, self._max_bytes)
        except sqlite3.OperationalError:
            raise  # full, locked, no permission: the file itself may be good
        except (sqlite3.DatabaseError, OSError) as error:
            self._set_aside(str(error))
            connection = history_tables.open_history(self._path, self._max_bytes)
        found = self._path.stat()
        self._file = found.st_dev, found.st_ino
        return connection

    def _set_aside(self, reason: str) -> None:
        aside = set_aside(self._path, self._clock())
        for end in ("-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                self._path.with_name(self._path.name + end).rename(f"{aside}{end}")
        message = "the history is damaged; a new one is created"
        log.error(message, extra={"kept_as": str(aside), "error": reason})

    def _give_up(self, error: Exception) -> None:
        """Try again later. Keep the newest changes until then, so that memory stays bounded."""
        self.errors += 1
        excess = max(0, len(self._changes) - MAX_KEPT)
        self.lost += excess
        del self._changes[:excess]
        self._retry_at = self._noted_at + RETRY_SECONDS
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        extra = {"path": str(self._path), "error": str(error)}
        log.error("cannot write the history", extra=extra)
        broken = isinstance(error, sqlite3.DatabaseError) and not isinstance(
            error, sqlite3.OperationalError
        )
        if broken:
            with contextlib.suppress(OSError):
                self._set_aside(str(error))


def _subject(change: AnyChange) -> str:
    """Return what a change is of: a server ID, or the name of a cluster.

    A change by a shadow is none of the verdict on a server, so it is one of the cluster.
    """
    if isinstance(change, ShadowChange):
        return change.after.server.partition("/")[0]
    return change.cluster if isinstance(change, BaselineChange) else change.after.server


def baseline_document(change: BaselineChange) -> dict[str, Any]:
    """Return a new baseline for JSON."""
    return msgspec.to_builtins(change)  # type: ignore[no-any-return]


def _document(epoch: EpochSeconds, change: AnyChange) -> dict[str, Any]:
    if isinstance(change, ShadowChange):
        after = change.after
        return {"at": rfc3339(epoch), "shadow": {"server": after.server} | shadow_document(after)}
    if isinstance(change, BaselineChange):
        return {"at": rfc3339(epoch), "baseline": baseline_document(change)}
    before: Verdict | None = change.before
    return {
        "at": rfc3339(epoch),
        "was_in_service": before.in_service if before else None,
        "lasted_seconds": before.lasted_seconds if before else None,
        "override_ended": ended_override_document(change),
        "verdict": verdict_document(change.after),
    }
