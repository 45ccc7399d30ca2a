"""When the numbers of entries of several servers can be compared: no entry came or went. Pure.

entry_count.py calls it. Servers are read at different moments, so their numbers differ while
entries are added. In a quiet period no server completed an add or a delete, and no number changed;
if it is longer than replication takes, and contextCSN shows that a server has received all changes
from before, its number is that of the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Generic

from msgspec import Struct

from ldaphealth.clocks import MonotonicSeconds
from ldaphealth.model import F, Observation

StateOf = Callable[[F], object]  # what stays the same in a quiet period


class Run(Struct, Generic[F], frozen=True):
    """Reads of one server, one after the other, with the same state; oldest first.

    The state is known to have lasted from the end of the first read to the beginning of the last.
    """

    reads: tuple[Observation[F], ...]

    @property
    def since(self) -> MonotonicSeconds:
        """Return the moment from which on the state is known to have lasted."""
        return self.reads[0].ended_at

    @property
    def until(self) -> MonotonicSeconds:
        """Return the moment until which it is known to have lasted."""
        return self.reads[-1].started_at


class QuietPeriod(Struct, Generic[F], frozen=True):
    """A period in which the state of no server changed.

    By server, the facts of the first read with that state, which ended before the period began or
    as it began, and those of the last read that ended in the period.
    """

    until: MonotonicSeconds
    first: Mapping[str, F]
    last: Mapping[str, F]


def last_quiet_period(
    observations: Mapping[str, Sequence[Observation[F]]], state: StateOf[F], seconds: float
) -> QuietPeriod[F] | None:
    """Return the newest quiet period of at least that many seconds, None if there is none.

    Observations are oldest first, by server. Usually the newest ones are enough, which saves time.
    """
    if not all(observations.values()):
        return None
    horizon = min(seen[-2:][0].started_at for seen in observations.values()) - seconds
    newest = {server: _after(seen, horizon) for server, seen in observations.items()}
    return _last_period(newest, state, seconds) or _last_period(observations, state, seconds)


def _after(seen: Sequence[Observation[F]], horizon: MonotonicSeconds) -> Sequence[Observation[F]]:
    """Return the observations that ended after that moment, and the one before them."""
    place = len(seen) - 1
    while place and seen[place].ended_at > horizon:
        place -= 1
    return seen[place:]


def _last_period(
    observations: Mapping[str, Sequence[Observation[F]]], state: StateOf[F], seconds: float
) -> QuietPeriod[F] | None:
    rest = {server: _runs(seen, state, seconds) for server, seen in observations.items()}
    found = {server: next(runs, None) for server, runs in rest.items()}
    while True:
        runs = {server: run for server, run in found.items() if run is not None}
        if len(runs) < len(found) or not runs:
            return None
        latest = max(runs, key=lambda server: runs[server].since)
        until = min(run.until for run in runs.values())
        if until - runs[latest].since >= seconds:
            return _period(runs, until)
        found[latest] = next(rest[latest], None)  # its run began too late for the others


def _period(runs: Mapping[str, Run[F]], until: MonotonicSeconds) -> QuietPeriod[F]:
    first: dict[str, F] = {}
    last: dict[str, F] = {}
    for server, run in runs.items():
        here = [each.facts for each in run.reads if each.ended_at <= until and each.facts]
        first[server], last[server] = here[0], here[-1]
    return QuietPeriod(until, first, last)


def _runs(seen: Sequence[Observation[F]], state: StateOf[F], seconds: float) -> Iterator[Run[F]]:
    """Yield the runs that lasted at least that many seconds, the newest first.

    A read that failed shows no change.
    """
    reads: list[Observation[F]] = []  # newest first
    current: object = None
    for each in reversed(seen):
        if each.facts is None:
            continue
        shown = state(each.facts)
        if reads and shown != current:
            yield from _if_long(reads, seconds)
            reads = []
        current = shown
        reads.append(each)
    yield from _if_long(reads, seconds)


def _if_long(reads: Sequence[Observation[F]], seconds: float) -> Iterator[Run[F]]:
    run = Run((*reversed(reads),))
    if reads and run.until - run.since >= seconds:
        yield run
