"""The history on disk: changes of verdicts and baselines, and points of durations.

The agent publishes into it. A thread of its own writes, so that a slow, full or broken disk never
delays probes and publishers. `ldaphealth history` shows it. `levels.py` says what a point is,
`history_file.py` has the file.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from math import inf
from pathlib import Path
from typing import Any

from msgspec import Struct

from ldaphealth.clocks import DAY_SECONDS, BootSeconds, EpochSeconds, boot_seconds, epoch_seconds
from ldaphealth.control.requests import NumbersRequest, TimesRequest
from ldaphealth.history.availability import ServiceChange
from ldaphealth.history.kept_numbers import BY_KEY, KeptNumber
from ldaphealth.model import AnyObservation, Finding
from ldaphealth.publishers.publication import Publication
from ldaphealth.publishers.shadow_publication import ShadowPublication
from ldaphealth.store.change_document import AnyChange, change_row
from ldaphealth.store.history_file import HistoryFile
from ldaphealth.store.history_points import Place
from ldaphealth.store.history_reading import HistoryError, read_changes
from ldaphealth.store.levels import Bounds
from ldaphealth.store.minute import Minute
from ldaphealth.store.numbers_reading import NumberPeriods, hours_of, number_query, read_numbers
from ldaphealth.store.points_reading import Period, query_of, read_points, servers_with_points
from ldaphealth.store.service_history import read_service_changes

log = logging.getLogger(__name__)

MINUTE_SECONDS = 60
WRITE_SECONDS = 1.0  # between two writes; changes do not wait for it
CLEAN_SECONDS = 3600.0
RETRY_SECONDS = 10.0
OLD_PIECE_SECONDS = 1.0  # between two pieces of the minutes of an older version
CUTS_SECONDS = 3600.0  # between two lines of the log on a full history
BATCH_ROWS = 50  # are written together; room is made for so many at a time
STEP_SECONDS = 5.0  # a difference between the clocks that is no adjustment by NTP
LONGEST_SECONDS = 120.0  # between two writes, or the agent did not run meanwhile
MAX_WAITING = 1000  # publications; with a thousand servers a disk may hang for about a minute
MAX_KEPT = 5000  # changes, while the file cannot be written
MAX_KEPT_MINUTES = 1000  # of one server each, meanwhile


class _New(Struct, frozen=True):
    """What is new in a publication, without the verdicts on all servers, which take memory.

    `findings` are those on the servers that were seen.
    """

    epoch: EpochSeconds
    changes: Sequence[AnyChange]
    seen: Sequence[AnyObservation] = ()
    findings: Mapping[str, Sequence[Finding]] = {}


class HistoryDatabase:
    """One SQLite file (WAL), written by one thread.

    What is new is written every `write_seconds`, and changes at once. `clock` dates it, `running`
    measures time, also that of the days in `bounds`. `errors` counts failed writes, `lost` the
    changes of verdicts and publications not written, `lost_points` the durations of one operation
    in a minute: the oldest ones.
    """

    def __init__(
        self,
        path: Path,
        bounds: Bounds,
        *,
        clock: Callable[[], EpochSeconds] = epoch_seconds,
        running: Callable[[], BootSeconds] = boot_seconds,
        write_seconds: float = WRITE_SECONDS,
    ) -> None:
        self._path, self._clock, self._running = path, clock, running
        self._write_seconds = write_seconds
        self._file = HistoryFile(path, bounds, clock)
        self._waiting: deque[_New] = deque()
        self._is_due, self._is_closed = threading.Event(), False
        self._minutes: dict[Place, Minute] = {}
        self._changes: list[tuple[EpochSeconds, AnyChange]] = []
        self._days: dict[int, float] = defaultdict(float)  # seconds that are not written yet
        self._retry_at = self._clean_at = self._old_piece_at = self._tell_cuts_at = -inf
        self._told_cuts = self.cuts
        self._difference: float | None = None  # of the two clocks
        self._noted_at = running()
        self.lost = self.lost_points = self.errors = 0
        self._writer = threading.Thread(target=self._write_until_close, name="history", daemon=True)
        self._writer.start()

    @property
    def cuts(self) -> Mapping[str, int]:
        """Return how often the oldest points of a level, or changes, made room for others."""
        return dict(self._file.cuts)

    @property
    def oldest(self) -> Mapping[str, EpochSeconds]:
        """Return the times of the oldest points by level, and of the oldest change (`CHANGE`).

        They are those of the last minute; there is none until the file is open.
        """
        return self._file.oldest

    def publish(self, decided: Publication) -> None:
        """Queue what is new, without waiting for the disk. A full queue loses its oldest.

        Changes are written at once, the rest with all that comes within a second.
        """
        known = decided.verdicts
        findings = {
            server: known[server].findings
            for server in {each.server for each in decided.seen}
            if server in known
        }
        changes: tuple[AnyChange, ...] = (*decided.baselines, *decided.changes)
        self._queue(_New(self._clock(), changes, decided.seen, findings))

    def publish_shadow(self, decided: ShadowPublication) -> None:
        """Queue what a shadow would have changed. It is kept apart from verdicts."""
        if decided.changes:
            self._queue(_New(self._clock(), tuple(decided.changes)))

    def _queue(self, new: _New) -> None:
        waiting = len(self._waiting)
        if waiting >= MAX_WAITING:
            with contextlib.suppress(IndexError):  # the writer took it
                self._waiting.popleft()
                self.lost += 1
        self._waiting.append(new)
        if new.changes or waiting >= MAX_WAITING // 2:
            self._is_due.set()

    def close(self, timeout_seconds: float = 1.0) -> None:
        """Write what is queued, and end. What is not written by the timeout is lost."""
        self._is_closed = True
        self._is_due.set()
        self._writer.join(timeout_seconds)

    def changes(
        self, server: str, limit: int, before_epoch: EpochSeconds | None
    ) -> list[dict[str, Any]]:
        """Return the latest changes of one server, a cluster or of all, newest first; HistoryError.

        Each has a verdict, or a new baseline of a cluster. The newest is the one that was written
        last, also if the time of day was set back before.
        """
        return read_changes(self._path, server, limit, before_epoch, has_writer=True)

    def service_changes(
        self, target: str, since: EpochSeconds, until: EpochSeconds
    ) -> Mapping[str, list[ServiceChange]]:
        """Return by server the changes of a period, and the last one before it; HistoryError."""
        return read_service_changes(self._path, target, since, until, has_writer=True)

    def times(self, request: TimesRequest) -> Mapping[str, Sequence[Period]]:
        """Return the durations of each server that a request is of, by period; HistoryError."""
        servers = servers_with_points(self._path, request.server, has_writer=True)
        return read_points(self._path, servers, query_of(request), has_writer=True)

    def numbers(self, kept: KeptNumber, request: NumbersRequest) -> NumberPeriods:
        """Return a number of each server that a request is of, by period; HistoryError."""
        query = number_query(kept, request)
        return read_numbers(self._path, request.server, query, has_writer=True)

    def past(self, server: str, number: str) -> Mapping[str, Mapping[int, float]]:
        """Return the most of a number in each of the last hours, by label; none without a file."""
        try:
            return hours_of(self._path, server, BY_KEY[number], self._clock())
        except HistoryError:
            return {}

    def _write_until_close(self) -> None:
        is_open = True
        while is_open:
            self._is_due.wait(self._write_seconds)
            self._is_due.clear()
            is_open = not self._is_closed  # before it takes what is queued: all of it is written
            self._take_waiting()
            now = self._note_time()
            if self._noted_at >= self._retry_at or not is_open:
                self._write(now, everything=not is_open)
        self._file.close()

    def _take_waiting(self) -> None:
        """Take all publications that wait."""
        while True:
            try:
                new = self._waiting.popleft()
            except IndexError:  # also if the last one was dropped meanwhile
                return
            self._changes += [(new.epoch, each) for each in new.changes]
            for observation in new.seen:
                self._add(new.epoch, observation, new.findings.get(observation.server, ()))

    def _add(
        self, epoch: EpochSeconds, observation: AnyObservation, findings: Sequence[Finding]
    ) -> None:
        start = int(epoch) // MINUTE_SECONDS * MINUTE_SECONDS
        minute = self._minutes.setdefault((start, observation.server), Minute())
        minute.add(observation, findings)

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
        try:
            self._fold_old_piece()
            if done or self._changes:
                self._store(now, done)
        except (sqlite3.Error, OSError) as error:
            self._give_up(error)
        except Exception as error:  # no error may end the thread
            self.lost += len(self._changes)
            self._changes.clear()
            self._lose_minutes(done)
            self._give_up(error)
        self._tell_cuts()

    def _store(self, now: EpochSeconds, done: Sequence[Place]) -> None:
        self._file.add_days(self._days)
        self._days.clear()
        if self._noted_at >= self._clean_at:
            self._clean_at = self._noted_at + CLEAN_SECONDS
            self._file.forget()
        while batch := self._changes[:BATCH_ROWS]:
            self._file.add_changes([change_row(*each) for each in batch], now)
            del self._changes[: len(batch)]
        for first in range(0, len(done), BATCH_ROWS):
            keys = done[first : first + BATCH_ROWS]
            times = {key: each for key in keys if (each := self._minutes[key].times())}
            numbers = {key: found for key in keys if (found := self._minutes[key].numbers())}
            self._file.add_minutes(times, now, numbers)
            for key in keys:
                del self._minutes[key]
        if done:
            self._file.fold(now)

    def _fold_old_piece(self) -> None:
        if self._noted_at >= self._old_piece_at:
            self._old_piece_at = self._noted_at + OLD_PIECE_SECONDS
            self._file.fold_old_piece()

    def _tell_cuts(self) -> None:
        """Log what a full history has lost, once an hour at most."""
        if self._noted_at < self._tell_cuts_at or self.cuts == self._told_cuts:
            return
        self._tell_cuts_at = self._noted_at + CUTS_SECONDS
        self._told_cuts = self.cuts
        message = "the history is full; its oldest points, or changes, are deleted"
        log.warning(message, extra={f"{name}_cuts": count for name, count in self.cuts.items()})

    def _lose_minutes(self, keys: Sequence[Place]) -> None:
        for key in keys:
            self.lost_points += len(self._minutes.pop(key, ()))

    def _give_up(self, error: Exception) -> None:
        """Try again later. Keep the newest changes until then, so that memory stays bounded."""
        self.errors += 1
        excess = max(0, len(self._changes) - MAX_KEPT)
        self.lost += excess
        del self._changes[:excess]
        self._lose_minutes([*self._minutes][: max(0, len(self._minutes) - MAX_KEPT_MINUTES)])
        self._retry_at = self._noted_at + RETRY_SECONDS
        self._file.close()
        extra = {"path": str(self._path), "error": str(error)}
        log.error("cannot write the history", extra=extra)
        broken = isinstance(error, sqlite3.DatabaseError) and not isinstance(
            error, sqlite3.OperationalError
        )
        if broken:
            with contextlib.suppress(OSError):
                self._file.set_aside(str(error))
