"""One segment of the journal: the state of a pool, and all that changed it since, in a file.

What was decided is in it too: the digest of each verdict with something new, and the whole verdict
if it `differs` from the one before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from ldaphealth.agent.journal_cluster import Finder
from ldaphealth.agent.journal_codec import EventReader, EventWriter
from ldaphealth.agent.journal_digests import Digests
from ldaphealth.agent.journal_summary import SegmentSummary, Summary
from ldaphealth.agent.pool_events import Began, Decided, PoolEvent, Reconfigured
from ldaphealth.clocks import BootSeconds, EpochSeconds
from ldaphealth.guard.verdicts import Verdicts
from ldaphealth.model import Verdict
from ldaphealth.publishers.publication import differs
from ldaphealth.settings import Cluster
from ldaphealth.store.journal_files import (
    DamagedError,
    Row,
    SegmentFile,
    read_frames,
    read_summary,
)

HEADER = 20  # the kind of the first row
LEAST_STEP_SECONDS = 0.1  # of the time of day against the boot clock, which is kept
# What a row of another program may raise when it is read.
WRONG_ROW = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
ALL_KEPT: Row = [None, None, (), (), None]  # a decision: kind, time, digests, verdicts, difference


class SegmentHeader(Struct, frozen=True, kw_only=True):
    """What wrote a segment: the version of ldaphealth, and the name of the cluster."""

    program: str
    cluster: str


class Recorded(Struct, frozen=True, kw_only=True):
    """An event with the time of day of the newest decision, and what was decided.

    `digests` are those of the verdicts with something new, and `verdicts` the whole ones of them
    that differ from those before.
    """

    event: PoolEvent
    at: EpochSeconds | None = None
    digests: Mapping[str, int] = {}
    verdicts: Mapping[str, Verdict] = {}


class SegmentWriter:
    """A segment that is being written. OSError of any method: it cannot be continued."""

    def __init__(
        self,
        directory: Path,
        began: Began,
        now: EpochSeconds,
        program: str,
        pause: Callable[[], None] = lambda: None,
    ) -> None:
        state = began.state
        self._writer, self._digests = EventWriter(), Digests(state.verdicts)
        self._verdicts = Verdicts(state.verdicts)
        self._places = _places(state.cluster)
        self._summary = Summary(state.cluster, state.verdicts)
        self._difference: float | None = None
        self.file = SegmentFile(directory, state.cluster.name, now)
        try:
            self._write_head(began, program, pause)
        except BaseException:
            self.file.discard()
            raise

    def _write_head(self, began: Began, program: str, pause: Callable[[], None]) -> None:
        header = SegmentHeader(program=program, cluster=began.state.cluster.name)
        self.file.add([HEADER, msgspec.to_builtins(header)])
        for row in self._writer.rows(began):
            self.file.add(row)
            pause()
        self.file.flush()

    def add(self, event: PoolEvent, verdicts: Verdicts, now: EpochSeconds) -> None:
        """Add an event; `verdicts` are those after a decision."""
        decided = self._decided(event, verdicts, now) if isinstance(event, Decided) else ()
        for row in self._writer.rows(event):
            self.file.add([*row, *decided])
        if not isinstance(event, Decided):
            self._summary.change(event)
        if isinstance(event, Reconfigured):
            self._places = _places(event.cluster)

    def end(self) -> None:
        """Write what is not in the file yet, and the summary, and close it."""
        try:
            self.file.end(msgspec.to_builtins(self._summary.so_far()))
        finally:
            self.file.close()

    def _decided(self, event: Decided, verdicts: Verdicts, now: EpochSeconds) -> Sequence[Any]:
        """Return what follows the time of a decision in its row."""
        digests, before = self._digests.changed(verdicts), self._verdicts.as_decided
        pairs = [each for key, of in digests.items() for each in (self._places[key], of)]
        changed = [
            msgspec.to_builtins(verdicts[each])
            for each in digests
            if each not in before or differs(before[each], verdicts.as_decided[each])
        ]
        self._summary.decide(verdicts.as_decided, digests, now, same=not changed)
        self._verdicts = verdicts
        difference = now - event.now
        known = self._difference
        if known is None or abs(difference - known) >= LEAST_STEP_SECONDS:
            self._difference = difference
            return pairs, changed, difference
        return (pairs, changed) if changed else (pairs,)


def summary_of(path: Path) -> SegmentSummary | None:
    """Return the summary of a segment, None if it was not ended; DamagedError and OSError."""
    found = read_summary(path)
    try:
        return None if found is None else msgspec.convert(found, SegmentSummary)
    except msgspec.ValidationError as error:
        raise DamagedError(str(error)) from error


def _places(cluster: Cluster) -> dict[str, int]:
    return {each.id: place for place, each in enumerate(cluster.servers)}


class SegmentReader:
    """A segment that is read: `header` after the first event. `program` may be another version."""

    def __init__(self, path: Path, finder: Finder) -> None:
        self._path = path
        self._reader = EventReader(finder)
        self._servers: Sequence[str] = ()
        self._difference = 0.0
        self._at: EpochSeconds | None = None
        self.header: SegmentHeader | None = None

    def recorded(self) -> Iterator[Recorded]:
        """Yield what was recorded, oldest first, and `Began` as the first.

        DamagedError: the rest cannot be read. OSError: the file cannot be opened. The end of a file
        may be missing, if its writer was killed or is not done: that is no error.
        """
        for rows in read_frames(self._path):
            try:
                for row in rows:
                    if row[0] == HEADER:
                        self.header = msgspec.convert(row[1], SegmentHeader)
                    elif (event := self._reader.event(row)) is not None:
                        yield self._recorded(event, row)
            except WRONG_ROW as error:
                raise DamagedError(f"{type(error).__name__}: {error}") from error

    def began(self) -> Began | None:
        """Return the first event; None: there is none yet. DamagedError and OSError as above."""
        first = next((each.event for each in self.recorded()), None)
        return first if isinstance(first, Began) else None

    def _recorded(self, event: PoolEvent, row: Row) -> Recorded:
        if isinstance(event, Began | Reconfigured):
            cluster = event.state.cluster if isinstance(event, Began) else event.cluster
            self._servers = [each.id for each in cluster.servers]
        if not isinstance(event, Decided):
            return Recorded(event=event, at=self._at)
        _, _, pairs, changed, difference = row + ALL_KEPT[len(row) :]
        if difference is not None:
            self._difference = difference
        self._at = _time_of_day(event.now, self._difference)
        places = iter(pairs)
        return Recorded(
            event=event,
            at=self._at,
            digests={self._servers[place]: next(places) for place in places},
            verdicts={
                each.server: each for each in (msgspec.convert(one, Verdict) for one in changed)
            },
        )


def _time_of_day(now: BootSeconds, difference: float) -> EpochSeconds:
    return now + difference
