"""The events of a pool as rows of plain data and back: changes, not repetitions. Pure.

A writer and a reader remember the same things of the rows before, so a row has differences only.
What they remember begins anew with `Began`. Times are whole microseconds where that is exact, and
any other number is as it was, so what comes back is equal to what went in, bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from ldaphealth.agent.journal_cluster import Finder, cluster_document, cluster_of
from ldaphealth.agent.journal_leaves import short
from ldaphealth.agent.journal_observations import ObservationReader, ObservationWriter, Row
from ldaphealth.agent.pool_events import (
    BaselinesAccepted,
    Began,
    Decided,
    Ended,
    OverrideChanged,
    PoolEvent,
    PoolState,
    Reconfigured,
    RoundAdded,
    SurveyAdded,
)
from ldaphealth.clocks import BootSeconds, MonotonicSeconds
from ldaphealth.guard import Memory, Override, RoundPeriod
from ldaphealth.judging.kept_reads import KeptReads
from ldaphealth.judging.recent_observations import RecentState
from ldaphealth.model import AnyObservation, Finding, Verdict
from ldaphealth.settings import Cluster

# What a row is: its first element. A state is several rows, so that no large one is in memory.
ROUND, DECIDED, SURVEY, OVERRIDE, BASELINES, RECONFIGURED, ENDED = range(7)
CLUSTER, READS, SESSION, LATEST, SURVEYED, BEGAN = range(10, 16)
LATER = ("last_began", "silent_since", "answered", "lost_at")  # of a RoundPeriod
EVENT_ROWS = frozenset({ROUND, DECIDED, SURVEY, OVERRIDE, BASELINES, RECONFIGURED, ENDED})
STATE_ROWS = frozenset({CLUSTER, READS, SESSION, LATEST, SURVEYED, BEGAN})


class _Rest(Struct, frozen=True, kw_only=True):
    """What a state has beside its cluster and its observations."""

    memory: Memory
    surveys: frozenset[str]
    returned: Mapping[str, MonotonicSeconds]
    verdicts: Mapping[str, Verdict]
    findings: Mapping[str, tuple[Finding, ...]]
    rounds: Mapping[str, RoundPeriod]
    taken_back: Mapping[str, str]


class EventWriter:
    """Events to rows. The first event must be `Began`."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._observations = ObservationWriter()
        self._now = self._offset = 0  # of the boot clock; and less the monotonic clock

    def rows(self, event: PoolEvent) -> Iterator[Row]:
        """Yield the rows of an event: one, but several of a state."""
        match event:
            case RoundAdded(_, seen, period):
                yield [ROUND, self._rows(seen), *self._period(seen, period)]
            case Decided(now):
                yield [DECIDED, _apart(now, self._now)]
                self._now = _count(now)
            case SurveyAdded(seen):
                yield [SURVEY, self._rows(seen)]
            case OverrideChanged(server, override, by):
                yield [OVERRIDE, server, override and msgspec.to_builtins(override), by]
            case BaselinesAccepted():
                yield [BASELINES]
            case Reconfigured(cluster):
                yield [RECONFIGURED, cluster_document(cluster)]
            case Ended():
                yield [ENDED]
            case Began(state):
                self._begin()
                yield from self._state(state)

    def _rows(self, seen: Sequence[AnyObservation]) -> list[Row]:
        return [self._observations.row(each) for each in seen]

    def _period(self, seen: Sequence[AnyObservation], period: RoundPeriod) -> Row:
        first, last = _count(seen[0].started_at), _count(seen[-1].ended_at)
        began = _count(period.began)
        row: Row = [
            _apart(period.began, first + self._offset),
            _apart(period.ended, began + last - first),
        ]
        for name in LATER:
            at = getattr(period, name)
            row.append(None if at is None else _apart(at, began))
        self._offset, self._now = began - first, _count(period.ended)
        while row[-1] is None:
            row.pop()
        return row

    def _state(self, state: PoolState) -> Iterator[Row]:
        yield [CLUSTER, cluster_document(state.cluster)]
        for check, seen in state.recent.seen.items():
            for server, of in seen.items():
                yield [READS, check, server, of.older, self._rows(of.reads)]
        for server, reads in state.recent.sessions.items():
            yield [SESSION, server, self._rows(reads)]
        for server, reads in state.latest.items():
            yield [LATEST, server, self._rows(reads)]
        for server, by_check in state.surveyed.items():
            yield [SURVEYED, server, self._rows([*by_check.values()])]
        rest = _Rest(
            memory=state.memory,
            surveys=frozenset(state.recent.surveys),
            returned=state.recent.returned,
            verdicts=state.verdicts,
            findings=state.findings,
            rounds=state.rounds,
            taken_back=state.taken_back,
        )
        yield [BEGAN, msgspec.to_builtins(rest)]


class EventReader:
    """Rows to events. What is wrong with a row raises LookupError, TypeError or ValueError."""

    def __init__(self, finder: Finder) -> None:
        self._finder = finder
        self._begin()

    def _begin(self) -> None:
        self._facts: dict[str, type[Struct]] = {}  # by the name of a check
        self._observations = ObservationReader(self._facts.__getitem__)
        self._now = self._offset = 0
        self._cluster: Cluster | None = None
        self._reads: dict[str, dict[str, KeptReads]] = {}
        self._sessions: dict[str, tuple[AnyObservation, ...]] = {}
        self._latest: dict[str, tuple[AnyObservation, ...]] = {}
        self._surveyed: dict[str, dict[str, AnyObservation]] = {}

    def event(self, row: Row) -> PoolEvent | None:
        """Return the event that a row completes; None: more rows of a state follow."""
        kind = row[0]
        if kind == ROUND:
            seen = self._seen(row[1])
            return RoundAdded(seen[0].server, seen, self._period(seen, row[2:]))
        if kind == DECIDED:
            now = _joined(row[1], self._now)
            self._now = _count(now)
            return Decided(now)
        return self._rare_event(kind, row) if kind in EVENT_ROWS else self._state_row(kind, row)

    def _rare_event(self, kind: int, row: Row) -> PoolEvent:
        if kind == SURVEY:
            return SurveyAdded(self._seen(row[1]))
        if kind == OVERRIDE:
            override = None if row[2] is None else msgspec.convert(row[2], Override)
            return OverrideChanged(row[1], override, row[3])
        if kind == RECONFIGURED:
            return Reconfigured(self._configured(row[1]))
        return BaselinesAccepted() if kind == BASELINES else Ended()

    def _state_row(self, kind: int, row: Row) -> PoolEvent | None:
        """Note one row of a state, and return the state after the last one."""
        if kind == CLUSTER:
            self._begin()
            self._cluster = self._configured(row[1])
        elif kind == READS:
            kept = KeptReads(self._seen(row[4]), row[3])
            self._reads.setdefault(row[1], {})[row[2]] = kept
        elif kind == SESSION:
            self._sessions[row[1]] = self._seen(row[2])
        elif kind == LATEST:
            self._latest[row[1]] = self._seen(row[2])
        elif kind == SURVEYED:
            self._surveyed[row[1]] = {each.check: each for each in self._seen(row[2])}
        elif kind == BEGAN:
            return Began(self._state(msgspec.convert(row[1], _Rest)))
        else:
            raise ValueError(f"unknown row {kind}")
        return None

    def _state(self, rest: _Rest) -> PoolState:
        if self._cluster is None:
            raise ValueError("a state without its cluster")
        recent = RecentState(
            seen=self._reads,
            sessions=self._sessions,
            surveys=rest.surveys,
            returned=rest.returned,
        )
        return PoolState(
            cluster=self._cluster,
            memory=rest.memory,
            recent=recent,
            verdicts=rest.verdicts,
            latest=self._latest,
            surveyed=self._surveyed,
            findings=rest.findings,
            rounds=rest.rounds,
            taken_back=rest.taken_back,
        )

    def _configured(self, document: Any) -> Cluster:
        """Return a cluster, and know its checks: a round may have those of before a reload."""
        cluster = cluster_of(document, self._finder)
        self._facts.update({each.name: each.check.facts for each in cluster.checks})
        return cluster

    def _seen(self, rows: Sequence[Row]) -> tuple[AnyObservation, ...]:
        return tuple(map(self._observations.observation, rows))

    def _period(self, seen: Sequence[AnyObservation], row: Row) -> RoundPeriod:
        first, last = _count(seen[0].started_at), _count(seen[-1].ended_at)
        began_at = _joined(row[0], first + self._offset)
        began = _count(began_at)
        ended_at = _joined(row[1], began + last - first)
        self._offset, self._now = began - first, _count(ended_at)
        later = [None if each is None else _joined(each, began) for each in row[2:]]
        return RoundPeriod(began=began_at, ended=ended_at, **dict(zip(LATER, later, strict=False)))


def _count(at: BootSeconds | MonotonicSeconds) -> int:
    """Return a moment in microseconds, also one that is no whole number of them."""
    return round(at * 1e6)


def _apart(at: BootSeconds, base: int) -> int | float:
    """Return a moment as the microseconds since another one; as it is if that is not exact."""
    count = short(at)
    return count - base if type(count) is int else count


def _joined(kept: int | float, base: int) -> BootSeconds:
    return (kept + base) / 1e6 if type(kept) is int else kept
