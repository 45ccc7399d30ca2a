"""The live state of one server: it grows in the agent's thread; readers get an immutable one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from ldaphealth.clocks import BootSeconds
from ldaphealth.live.recent_times import GrowingHour, LastHour
from ldaphealth.model import AnyObservation, Verdict
from ldaphealth.octaves import GrowingOctaves, Octaves
from ldaphealth.publishers.shadow_publication import ShadowVerdict

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
    times: Mapping[str, Octaves] = {}
    rounds: int = 0
    failed_rounds: int = 0
    hours: Mapping[str, LastHour] = {}
    shadow: ShadowVerdict | None = None
    shadow_changes: int = 0

    def is_stale(self, now: BootSeconds) -> bool:
        """Return whether the verdict is no longer valid."""
        return now >= self.valid_until


class GrowingServer:
    """What is known of one server, as it grows. `so_far` returns the same for other threads."""

    __slots__ = (
        "_failed_rounds",
        "_hours",
        "_rounds",
        "_seen",
        "_so_far",
        "_times",
        "shadow",
        "shadow_changes",
        "valid_until",
    )

    def __init__(self) -> None:
        self.valid_until: BootSeconds = 0.0
        self.shadow: ShadowVerdict | None = None
        self.shadow_changes = 0
        self._seen: dict[str, AnyObservation] = {}
        self._times: dict[str, GrowingOctaves] = {}
        self._hours: dict[str, GrowingHour] = {}
        self._rounds = self._failed_rounds = 0
        self._so_far: LiveServer | None = None

    def renew(self, valid_until: BootSeconds) -> None:
        """Note until when its verdict is valid."""
        self.valid_until = valid_until
        self._so_far = None

    def judge_in_shadow(self, shadow: ShadowVerdict | None, verdict: Verdict) -> None:
        """Note what the shadow of its cluster decided, which begins on the side of the verdict."""
        before = (self.shadow or verdict).in_service
        self.shadow_changes += shadow is not None and shadow.in_service is not before
        self.shadow = shadow
        self._so_far = None

    def add(self, seen: Sequence[AnyObservation]) -> None:
        """Add the observations of a round or a survey."""
        newest = {each.check: each for each in seen}  # after a confirmation, the last one counts
        self._seen |= newest
        if FIRST_CHECK in newest:  # else a survey ended
            self._rounds += 1
            self._failed_rounds += any(each.failure is not None for each in newest.values())
        for each in seen:
            if each.timings:
                self._add_times(each)
        self._so_far = None

    def _add_times(self, seen: AnyObservation) -> None:
        for operation, seconds in seen.timings.items():
            times = self._times.get(operation)
            if times is None:
                times = self._times[operation] = GrowingOctaves()
            times.add(seconds)
        if seen.check in CHECKS_BY_MINUTE:
            hour = self._hours.get(seen.check)
            if hour is None:
                hour = self._hours[seen.check] = GrowingHour()
            hour.add(seen.ended_at, sum(seen.timings.values()))

    def so_far(self, verdict: Verdict) -> LiveServer:
        """Return the live state with this verdict, the same one while nothing changes."""
        if self._so_far is None:
            self._so_far = LiveServer(
                verdict=verdict,
                valid_until=self.valid_until,
                seen={**self._seen},
                times={name: each.snapshot() for name, each in self._times.items()},
                rounds=self._rounds,
                failed_rounds=self._failed_rounds,
                hours={check: each.so_far() for check, each in self._hours.items()},
                shadow=self.shadow,
                shadow_changes=self.shadow_changes,
            )
        elif self._so_far.verdict is not verdict:
            self._so_far = replace(self._so_far, verdict=verdict)
        return self._so_far
