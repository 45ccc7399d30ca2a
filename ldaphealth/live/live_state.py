"""The newest verdicts and observations of all clusters in memory, for readers such as HTTP.

The agent's thread publishes into it. Any thread may read `view`, which is immutable.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from ldaphealth.clocks import BootSeconds, EpochSeconds, epoch_seconds
from ldaphealth.histogram import Histogram, histogram_of, merged
from ldaphealth.live.recent_times import LastHour, added
from ldaphealth.model import AnyObservation, Verdict
from ldaphealth.publishers.publication import Publication, VerdictChange
from ldaphealth.publishers.shadow_publication import ShadowPublication, ShadowVerdict

KEPT_CHANGES = 100
FIRST_CHECK = "connect"  # every round begins with it
CHECKS_BY_MINUTE = frozenset({"connect", "bind", "search", "write"})  # each one costs memory


class LiveServer(Struct, frozen=True, kw_only=True):
    """The live state of one server.

    The verdict is valid until `valid_until`, in seconds since the boot (`clocks.boot_seconds`).
    After that it is stale and must not be reported as current. `seen` has the newest observation of
    each check. `times` has the seconds of each operation since the start of the agent, failed ones
    included. `hours` has the seconds of the checks in `CHECKS_BY_MINUTE` by the minute, all
    operations of an observation together. `shadow` is what the shadow of its cluster decided last,
    None without one, and `shadow_changes` how often that would have changed the service.
    """

    verdict: Verdict
    valid_until: BootSeconds
    seen: Mapping[str, AnyObservation] = {}
    times: Mapping[str, Histogram] = {}
    rounds: int = 0
    failed_rounds: int = 0
    hours: Mapping[str, LastHour] = {}
    shadow: ShadowVerdict | None = None
    shadow_changes: int = 0

    def is_stale(self, now: BootSeconds) -> bool:
        """Return whether the verdict is no longer valid."""
        return now >= self.valid_until


class DatedChange(Struct, frozen=True):
    """A change of a verdict, and its time in seconds since the epoch."""

    epoch_seconds: EpochSeconds
    change: VerdictChange


class LiveView(Struct, frozen=True):
    """The live state at one moment: servers by ID in clusters by name; newest changes first."""

    clusters: Mapping[str, Mapping[str, LiveServer]] = {}
    changes: tuple[DatedChange, ...] = ()

    def servers(self) -> Iterable[tuple[str, LiveServer]]:
        """Yield the servers of all clusters, in order."""
        for servers in self.clusters.values():
            yield from servers.items()


class LiveState:
    """A publisher that keeps the newest state. Its size is bounded by the number of servers."""

    def __init__(self, clock: Callable[[], EpochSeconds] = epoch_seconds) -> None:
        self._clock = clock
        self._clusters: Mapping[str, Mapping[str, LiveServer]] = {}
        self._changes: deque[DatedChange] = deque(maxlen=KEPT_CHANGES)
        self.view = LiveView()

    def publish(self, decided: Publication) -> None:
        """Add a decision on one cluster."""
        before = self._clusters.get(decided.cluster, {})
        seen: dict[str, list[AnyObservation]] = {}
        for observation in decided.seen:
            seen.setdefault(observation.server, []).append(observation)
        now = {
            server: _updated(before.get(server), verdict, decided.due.get(server), seen.get(server))
            for server, verdict in decided.verdicts.items()
        }
        clusters = {**self._clusters, decided.cluster: now}
        if not now:  # a reload removed the cluster
            del clusters[decided.cluster]
        self._clusters = clusters
        self._changes.extendleft(DatedChange(self._clock(), change) for change in decided.changes)
        self.view = LiveView(self._clusters, tuple(self._changes))

    def publish_shadow(self, decided: ShadowPublication) -> None:
        """Add what a shadow decided beside the newest decision."""
        servers = self._clusters.get(decided.cluster)
        if servers is None:
            return
        now = {
            server: _with_shadow(known, decided.verdicts.get(server))
            for server, known in servers.items()
        }
        self._clusters = {**self._clusters, decided.cluster: now}
        self.view = LiveView(self._clusters, tuple(self._changes))

    def close(self) -> None:
        """Keep everything: a verdict is valid until it expires."""


def _with_shadow(known: LiveServer, shadow: ShadowVerdict | None) -> LiveServer:
    """Return the live state with what a shadow decided, which begins on the side of the verdict."""
    before = (known.shadow or known.verdict).in_service
    is_change = shadow is not None and shadow.in_service is not before
    return replace(known, shadow=shadow, shadow_changes=known.shadow_changes + is_change)


def _updated(
    before: LiveServer | None,
    verdict: Verdict,
    valid_until: BootSeconds | None,
    seen: list[AnyObservation] | None,
) -> LiveServer:
    known = before or LiveServer(verdict=verdict, valid_until=0.0)
    until = known.valid_until if valid_until is None else valid_until
    if not seen:
        return replace(known, verdict=verdict, valid_until=until)
    newest = {each.check: each for each in seen}  # after a confirmation, the last one counts
    times = dict(known.times)
    for operation, seconds in _times(seen).items():
        times[operation] = merged((times.get(operation, Histogram()), histogram_of(seconds)))
    is_round = FIRST_CHECK in newest  # else a survey ended
    failed = is_round and any(each.failure is not None for each in newest.values())
    return replace(
        known,
        verdict=verdict,
        valid_until=until,
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
        if each.check in CHECKS_BY_MINUTE and each.timings:
            seconds = [sum(each.timings.values())]
            hour = hours.get(each.check, LastHour())
            hours[each.check] = added(hour, each.ended_at, seconds)
    return hours
