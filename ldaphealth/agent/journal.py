"""The journal: all that changes the pools, on disk, so that verdicts can be computed again.

It follows the agent (`Agent.follow`). The agent's thread only queues events; a thread of its own
encodes and writes them. When something is lost, or a segment is long enough, the state of the pool
is queued after its next decision, and a new segment begins with it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from msgspec import Struct

from ldaphealth.agent.journal_segment import SegmentWriter
from ldaphealth.agent.pool import Pool
from ldaphealth.agent.pool_events import Began, Decided, Ended, PoolEvent
from ldaphealth.clocks import BootSeconds, EpochSeconds, boot_seconds, epoch_seconds
from ldaphealth.guard.verdicts import Verdicts
from ldaphealth.settings import JournalSettings
from ldaphealth.store.journal_bounds import delete_excess
from ldaphealth.text.quantity import quantity

log = logging.getLogger(__name__)

SEGMENT_SECONDS = 3600.0
TURN_SECONDS = 0.5  # so that not each event wakes the thread
FLUSH_SECONDS = 30.0  # a kill loses what came since
ROOM_SECONDS = 60.0
RETRY_SECONDS = 30.0
HELD_SECONDS = 0.001  # of the interpreter, which the threads that measure need
MOST_WAITING = 10_000  # events; with a thousand servers a disk may hang for half a minute
PAUSE_SECONDS = 0.0005  # between the parts of a state, for the threads that measure
NO_VERDICTS = Verdicts()


class _Entry(Struct, frozen=True):
    cluster: str
    event: PoolEvent
    verdicts: Verdicts
    at: EpochSeconds


class Journal:
    """The segments of all clusters, written by one thread.

    `errors` counts writes that failed, `lost` the events that are in no segment. The oldest segment
    begins at `oldest_epoch_seconds`; 0: there is none.
    """

    def __init__(
        self,
        directory: Path,
        settings: JournalSettings,
        program: str,
        *,
        clock: Callable[[], EpochSeconds] = epoch_seconds,
        running: Callable[[], BootSeconds] = boot_seconds,
    ) -> None:
        self._directory, self._settings, self._program = directory, settings, program
        self._clock, self._running = clock, running
        self._waiting: deque[_Entry] = deque()
        self._stop = threading.Event()
        self._incomplete: set[str] = set()  # clusters of which an event was lost
        self._due: dict[str, BootSeconds] = {}  # when a new segment of a cluster is to begin
        self._open: dict[str, SegmentWriter] = {}
        self._flush_at, self._room_at = running() + FLUSH_SECONDS, running()
        self.errors = 0
        self.lost = 0
        self.oldest_epoch_seconds: EpochSeconds = 0.0
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def follow(self, pool: Pool, event: PoolEvent) -> None:
        """Queue an event. The agent's thread calls it."""
        name, at = pool.cluster.name, self._clock()
        if len(self._waiting) >= MOST_WAITING:
            self.lost += 1
            self._incomplete.add(name)
            return
        is_decided = isinstance(event, Decided)
        if name not in self._incomplete:
            verdicts = pool.verdicts if is_decided else NO_VERDICTS
            self._waiting.append(_Entry(name, event, verdicts, at))
        elif not is_decided:
            self.lost += 1
        if is_decided and (name in self._incomplete or self._is_due(name)):
            self._incomplete.discard(name)
            self._due.pop(name, None)
            self._waiting.append(_Entry(name, Began(pool.state()), NO_VERDICTS, at))

    def _is_due(self, name: str) -> bool:
        return self._running() >= self._due.get(name, float("inf"))

    def close(self, timeout_seconds: float = 2.0) -> None:
        """Write what is queued, and end. What is not written by the timeout is lost."""
        self._stop.set()
        self._thread.join(timeout_seconds)

    def _run(self) -> None:
        is_open = True
        while is_open:
            is_open = not self._stop.wait(TURN_SECONDS)
            self._receive()
            now = self._running()
            if now >= self._flush_at:
                self._flush_at = now + FLUSH_SECONDS
                self._flush()
            if now >= self._room_at:
                self._room_at = now + ROOM_SECONDS
                self._make_room()
        for cluster in [*self._open]:
            self._try(cluster, partial(self._end, cluster))

    def _receive(self) -> None:
        """Encode the events that came. Other threads run now and then meanwhile."""
        until = time.monotonic() + HELD_SECONDS
        while self._waiting:
            entry = self._waiting.popleft()
            self._try(entry.cluster, partial(self._add, entry))
            if time.monotonic() >= until:
                time.sleep(0)
                until = time.monotonic() + HELD_SECONDS

    def _add(self, entry: _Entry) -> None:
        if isinstance(entry.event, Began):
            self._end(entry.cluster)
            self._begin(entry, entry.event)
        elif (segment := self._open.get(entry.cluster)) is None:
            self.lost += 1
        else:
            segment.add(entry.event, entry.verdicts, entry.at)
            if isinstance(entry.event, Ended):
                self._end(entry.cluster)

    def _begin(self, entry: _Entry, began: Began) -> None:
        self._due[entry.cluster] = self._running() + SEGMENT_SECONDS
        self._open[entry.cluster] = SegmentWriter(
            self._directory, began, entry.at, self._program, _pause
        )

    def _end(self, cluster: str) -> None:
        segment = self._open.pop(cluster, None)
        self._due.pop(cluster, None)
        if segment is not None:
            segment.end()

    def _flush(self) -> None:
        for cluster, segment in [*self._open.items()]:
            self._try(cluster, segment.file.flush)

    def _try(self, cluster: str, write: Callable[[], None]) -> None:
        """Write. After an error the next segment begins later: this one cannot be continued."""
        try:
            write()
        except OSError as error:
            path = error.filename or self._directory
            extra = {"path": str(path), "error": error.strerror or str(error)}
            log.error("cannot write the journal", extra=extra)  # noqa: TRY400
        except Exception:  # no error may end the thread
            log.exception("cannot write the journal")
        else:
            return
        self.errors += 1
        segment = self._open.pop(cluster, None)
        if segment is not None:
            with suppress(OSError):  # close(2) of NFS reports errors, too
                segment.file.close()
        self._due[cluster] = self._running() + RETRY_SECONDS

    def _make_room(self) -> None:
        """Delete what is too old or too much. Log it if it is too much."""
        try:
            excess, self.oldest_epoch_seconds = delete_excess(
                self._directory,
                keep_days=self._settings.days,
                max_bytes=self._settings.megabytes << 20,
                open_now={each.file.path for each in self._open.values()},
            )
        except OSError as error:
            self.errors += 1
            log.error("cannot delete old segments of the journal", extra={"error": str(error)})  # noqa: TRY400
            return
        if excess:
            log.warning(
                "the journal is as large as it may be: its oldest part is deleted",
                extra={
                    "deleted": quantity(len(excess), "segment"),
                    "journal_megabytes": self._settings.megabytes,
                },
            )


def _pause() -> None:
    time.sleep(PAUSE_SECONDS)
