"""Compute verdicts again from the journal, and compare them with those that were published.

Each segment begins with the state of a pool, so each is replayed alone. `cli/replay.py` prints the
result.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from math import inf

from msgspec import Struct, field

from ldaphealth.agent.journal_cluster import Finder
from ldaphealth.agent.journal_digests import Digests
from ldaphealth.agent.journal_segment import Recorded, SegmentReader
from ldaphealth.agent.pool import Pool
from ldaphealth.agent.pool_events import Began, Decided, PoolEvent, Reconfigured
from ldaphealth.agent.pool_replay import apply_event
from ldaphealth.clocks import EpochSeconds
from ldaphealth.model import Verdict
from ldaphealth.store.journal_files import DamagedError, Segment

MOST_DIFFERENCES = 1000  # are kept; all are counted


class TimeSpan(Struct, frozen=True):
    """A period of the time of day, both ends included."""

    since: EpochSeconds = -inf
    until: EpochSeconds = inf

    def has(self, at: EpochSeconds) -> bool:
        """Return whether a moment is in it."""
        return self.since <= at <= self.until


ALWAYS = TimeSpan()


class Compared(Struct, frozen=True):
    """What is compared: the verdicts of a period on some servers, by their IDs; none: on all."""

    period: TimeSpan = ALWAYS
    servers: Collection[str] = ()

    def has_server(self, server: str) -> bool:
        """Return whether a server is one of them."""
        return not self.servers or server in self.servers


class ChangedVerdict(Struct, frozen=True, kw_only=True):
    """A verdict that is another one when it is computed again.

    `published` is the newest whole verdict of that time: the one that differs may differ from it in
    what the journal keeps as a digest only. None: it had none, or has none now.
    """

    at: EpochSeconds
    server: str
    published: Verdict | None
    computed: Verdict | None


class Replayed(Struct, kw_only=True):
    """What was computed again of one cluster.

    `verdicts` counts those with something new, which were compared, at `decisions` between `first`
    and `last`. `problems` names what could not be read, by the path of the segment. `programs` are
    the versions of ldaphealth that wrote it, and `servers` all that were configured.
    """

    cluster: str
    decisions: int = 0
    verdicts: int = 0
    first: EpochSeconds | None = None
    last: EpochSeconds | None = None
    different: int = 0
    differences: list[ChangedVerdict] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)
    programs: set[str] = field(default_factory=set)
    servers: set[str] = field(default_factory=set)


def within(found: Sequence[Segment], period: TimeSpan) -> list[Segment]:
    """Return the segments that may have something of a period: by when each one began."""
    ends = [*(each.began for each in found[1:]), inf]
    return [
        each
        for each, end in zip(found, ends, strict=False)
        if each.began <= period.until and end >= period.since
    ]


def replay(result: Replayed, segment: Segment, finder: Finder, selection: Compared) -> None:
    """Compute the verdicts of a segment again, compare them, and add what was found to a result."""
    reader = SegmentReader(segment.path, finder)
    comparison = _Comparison(result, selection)
    try:
        for each in reader.recorded():
            if each.at is not None and each.at > selection.period.until:
                break
            comparison.add(each)
    except (DamagedError, OSError) as error:
        result.problems[str(segment.path)] = _reason(error)
    if reader.header is not None:
        result.programs.add(reader.header.program)


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else "") or str(error)


class _Comparison:
    """One segment: the pool that gets its events, and what is compared."""

    def __init__(self, result: Replayed, selection: Compared) -> None:
        self._result, self._selection = result, selection
        self._pool: Pool | None = None
        self._digests = Digests({})
        self._published: dict[str, Verdict] = {}

    def add(self, recorded: Recorded) -> None:
        """Apply an event, and compare after a decision."""
        event = recorded.event
        if isinstance(event, Began):
            pool = Pool.of_state(event.state)
            self._digests = Digests(pool.verdicts)
            self._published = dict(pool.verdicts)
        else:
            pool = _then(self._pool, event)
        self._pool = pool
        if isinstance(event, Began | Reconfigured):
            self._result.servers.update(each.id for each in pool.cluster.servers)
        if isinstance(event, Decided) and recorded.at is not None:
            self._published.update(recorded.verdicts)
            computed = self._digests.changed(pool.verdicts)
            if self._selection.period.has(recorded.at):
                self._compare(pool, recorded, recorded.at, computed)

    def _compare(
        self, pool: Pool, recorded: Recorded, at: EpochSeconds, computed: Mapping[str, int]
    ) -> None:
        result = self._result
        result.decisions += 1
        result.first = at if result.first is None else result.first
        result.last = at
        for server in filter(self._selection.has_server, {**recorded.digests, **computed}):
            result.verdicts += 1
            if recorded.digests.get(server) == computed.get(server):
                continue
            result.different += 1
            if len(result.differences) < MOST_DIFFERENCES:
                result.differences.append(
                    ChangedVerdict(
                        at=at,
                        server=server,
                        published=self._published.get(server),
                        computed=pool.verdicts.get(server),
                    )
                )


def pool_at(
    found: Sequence[Segment], finder: Finder, at: EpochSeconds
) -> tuple[Pool, Recorded] | None:
    """Return the pool as it was at a moment, and its newest decision; None: the journal lacks it.

    DamagedError and OSError: the segment of that moment cannot be read so far.
    """
    for segment in reversed(within(found, TimeSpan(at, at))):
        pool: Pool | None = None
        newest: Recorded | None = None
        since: list[PoolEvent] = []  # events of which it is not known yet whether they are later
        for each in SegmentReader(segment.path, finder).recorded():
            since.append(each.event)
            if not isinstance(each.event, Began | Decided):
                continue
            if each.at is not None and each.at > at:
                break
            for event in since:
                pool = (
                    Pool.of_state(event.state) if isinstance(event, Began) else _then(pool, event)
                )
            since.clear()
            newest = each if isinstance(each.event, Decided) else newest
        if pool is not None and newest is not None:
            return pool, newest
    return None


def _then(pool: Pool | None, event: PoolEvent) -> Pool:
    if pool is None:
        raise DamagedError("it does not begin with a state")
    return apply_event(pool, event)
