"""The latest of every cluster, in memory: for those who are asked at any moment, such as HTTP.

The agent's thread publishes into it. Any thread may read `view`: what it returns never changes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from ldaphealth.clocks import BootSeconds, EpochSeconds, epoch_seconds
from ldaphealth.live.histogram import Histogram, histogram_of, merged
from ldaphealth.live.recent_times import LastHour, added
from ldaphealth.model import AnyObservation, Verdict
from ldaphealth.publishers.publication import Publication, VerdictChange

KEPT_CHANGES = 100
FIRST = "connect"  # the check that every round begins with
BY_THE_MINUTE = frozenset({"connect", "bind", "search", "write"})  # checks; each point costs memory


class LiveServer(Struct, frozen=True, kw_only=True):
    """What is known of one server.

    The verdict holds until `valid_until`, in seconds since the boot (`clocks.boot_seconds`);
    afterwards it is stale and must not be told. `seen` has the newest observation of each check;
    `times` the seconds of each operation since the agent began, failed ones included; `hours` those
    of some checks (`BY_THE_MINUTE`), all operations of a look together, by the minute.
    """

    verdict: Verdict
    valid_until: BootSeconds
    seen: Mapping[str, AnyObservation] = {}
    times: Mapping[str, Histogram] = {}
    rounds: int = 0
    failed_rounds: int = 0
    hours: Mapping[str, LastHour] = {}

    def is_stale(self, now: BootSeconds) -> bool:
        """Tell whether the verdict holds no more."""
        return now >= self.valid_until


class DatedChange(Struct, frozen=True):
    """A change of a verdict, and when it was made: seconds since the epoch, for people."""

    epoch_seconds: EpochSeconds
    change: VerdictChange


class LiveView(Struct, frozen=True):
    """Everything at one moment: the servers by ID within clusters by name; newest changes first."""

    clusters: Mapping[str, Mapping[str, LiveServer]] = {}
    changes: tuple[DatedChange, ...] = ()

    def servers(self) -> Iterable[tuple[str, LiveServer]]:
        """Yield the servers of all clusters, in their order."""
        for servers in self.clusters.values():
            yield from servers.items()


class LiveState:
    """A publisher (publication.py) that keeps the latest; bounded by the number of servers."""

    def __init__(self, clock: Callable[[], EpochSeconds] = epoch_seconds) -> None:
        self._clock = clock
        self._clusters: Mapping[str, Mapping[str, LiveServer]] = {}
        self._changes: deque[DatedChange] = deque(maxlen=KEPT_CHANGES)
        self.view = LiveView()

    def publish(self, decided: Publication) -> None:
        """Take what was decided on one cluster."""
        before = self._clusters.get(decided.cluster, {})
        seen: dict[str, list[AnyObservation]] = {}
        for observation in decided.seen:
            seen.setdefault(observation.server, []).append(observation)
        now = {
            server: _updated(before.get(server), verdict, decided.due.get(server), seen.get(server))
            for server, verdict in decided.verdicts.items()
        }
        clusters = {**self._clusters, decided.cluster: now}
        if not now:  # a reload took it away
            del clusters[decided.cluster]
        self._clusters = clusters
        self._changes.extendleft(DatedChange(self._clock(), change) for change in decided.changes)
        self.view = LiveView(self._clusters, tuple(self._changes))

    def close(self) -> None:
        """Leave everything: what was valid stays so until it expires."""


def _updated(
    before: LiveServer | None,
    verdict: Verdict,
    valid_until: BootSeconds | None,
    seen: list[AnyObservation] | None,
) -> LiveServer:
    known = before or LiveServer(verdict=verdict, valid_until=0.0)
    holds = known.valid_until if valid_until is None else valid_until
    if not seen:
        return replace(known, verdict=verdict, valid_until=holds)
    newest = {each.check: each for each in seen}  # of a round with a confirmation, what counts
    times = dict(known.times)
    for operation, seconds in _times(seen).items():
        times[operation] = merged((times.get(operation, Histogram()), histogram_of(seconds)))
    is_round = FIRST in newest  # else a survey ended, which is none
    failed = is_round and any(each.failure is not None for each in newest.values())
    return LiveServer(
        verdict=verdict,
        valid_until=holds,
        seen={**known.seen, **newest},
        times=times,
        rounds=known.rounds + is_round,
        failed_rounds=known.failed_rounds + failed,
        hours=_hours(known.hours, seen),
    )


def _times(seen: Iterable[AnyObservation]) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {}
    for observation in seen:
        for operation, seconds in observation.timings.items():
            times.setdefault(operation, []).append(seconds)
    return times


def _hours(
    before: Mapping[str, LastHour], seen: Iterable[AnyObservation]
) -> Mapping[str, LastHour]:
    hours = dict(before)
    for each in seen:
        if each.check in BY_THE_MINUTE and each.timings:
            seconds = [sum(each.timings.values())]
            hour = hours.get(each.check, LastHour())
            hours[each.check] = added(hour, each.ended_at, seconds)
    return hours
