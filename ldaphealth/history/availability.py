"""How long servers were in service in a period, made of the changes of their verdicts. Pure.

A verdict lasts until the next one. What was before the first verdict of a server is not known, and
is no part of its period.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from msgspec import Struct
from msgspec.structs import replace

from ldaphealth.clocks import EpochSeconds

OPERATOR = "operator"  # the cause of an override


class ServiceChange(Struct, frozen=True):
    """A verdict and the moment of its change: whether in service, and if not, the causes of that.

    Causes are reason codes, or `OPERATOR` for an override.
    """

    at: EpochSeconds
    in_service: bool
    causes: tuple[str, ...] = ()


class Outage(Struct, frozen=True, kw_only=True):
    """A time without service; `causes` are those of its first verdict.

    `has_begun`: it began in the period, and not before it. `has_ended`: it ended in the period.
    """

    began: EpochSeconds
    ended: EpochSeconds
    causes: tuple[str, ...] = ()
    has_begun: bool = True
    has_ended: bool = True

    @property
    def seconds(self) -> float:
        """Return how much of it is in the period."""
        return self.ended - self.began


class Availability(Struct, frozen=True, kw_only=True):
    """The service of one server, or of a cluster, in a period."""

    known_seconds: float
    outages: tuple[Outage, ...]

    @property
    def out_seconds(self) -> float:
        """Return the seconds without service."""
        return sum(each.seconds for each in self.outages)

    @property
    def share(self) -> float | None:
        """Return the share of the known time in service, 0 to 1; None if nothing is known."""
        if not self.known_seconds:
            return None
        return 1.0 - self.out_seconds / self.known_seconds

    @property
    def longest(self) -> Outage | None:
        """Return the longest outage; None without any."""
        return max(self.outages, key=lambda each: each.seconds, default=None)

    @property
    def removals(self) -> Mapping[str, int]:
        """Return how often each cause took it out in the period, the most frequent first."""
        causes = Counter(
            cause for each in self.outages if each.has_begun for cause in set(each.causes)
        )
        return dict(sorted(causes.items(), key=lambda each: (-each[1], each[0])))


def availability(
    verdicts: Iterable[ServiceChange], since: EpochSeconds, until: EpochSeconds
) -> Availability:
    """Return the service of one server between two moments.

    `verdicts` are those of the period, oldest first, and the last one before it if there is one. A
    verdict that is dated before an earlier one, after the time of day was set back, counts from
    that one on.
    """
    parts = _parts(verdicts, since, until)
    outages: list[Outage] = []
    for began, ended, verdict in parts:
        if verdict.in_service:
            continue
        has_ended = ended < until
        if outages and outages[-1].ended == began:  # another verdict of the same outage
            outages[-1] = replace(outages[-1], ended=ended, has_ended=has_ended)
        else:
            outages.append(
                Outage(
                    began=began,
                    ended=ended,
                    causes=verdict.causes,
                    has_begun=verdict.at >= since,
                    has_ended=has_ended,
                )
            )
    return Availability(
        known_seconds=sum(ended - began for began, ended, _ in parts), outages=tuple(outages)
    )


def cluster_availability(
    verdicts: Mapping[str, Sequence[ServiceChange]],
    least: int,
    since: EpochSeconds,
    until: EpochSeconds,
) -> Availability:
    """Return the service of a cluster, which needs at least so many of its servers in service.

    `verdicts` are by server, each as for `availability`. A server counts from its first verdict on;
    before so many servers had one, nothing is known of the cluster.
    The causes are those of all servers that are out when the outage begins.
    """
    moments: list[tuple[EpochSeconds, int, ServiceChange]] = []
    for number, of_server in enumerate(verdicts.values()):
        moments += [(each.at, number, each) for each in _in_order(of_server)]
    newest: dict[int, ServiceChange] = {}
    whole: list[ServiceChange] = []
    for at, number, verdict in sorted(moments, key=lambda each: each[:2]):
        newest[number] = verdict
        if len(newest) < least:
            continue
        causes = [cause for each in newest.values() for cause in each.causes]
        serving = sum(each.in_service for each in newest.values())
        whole.append(ServiceChange(at, serving >= least, tuple(sorted(set(causes)))))
    # Of several verdicts at one moment only the last lasts.
    return availability(whole, since, until)


def _in_order(verdicts: Iterable[ServiceChange]) -> list[ServiceChange]:
    ordered: list[ServiceChange] = []
    for each in verdicts:
        at = max(each.at, ordered[-1].at) if ordered else each.at
        ordered.append(ServiceChange(at, each.in_service, each.causes))
    return ordered


def _parts(
    verdicts: Iterable[ServiceChange], since: EpochSeconds, until: EpochSeconds
) -> list[tuple[EpochSeconds, EpochSeconds, ServiceChange]]:
    """Return the parts of the period that have one verdict each: beginning, end and verdict."""
    ordered = [each for each in _in_order(verdicts) if each.at < until]
    if not ordered:
        return []
    ends = [later.at for _, later in pairwise(ordered)] + [until]
    parts = zip(ordered, ends, strict=True)
    return [(max(each.at, since), end, each) for each, end in parts if end > max(each.at, since)]
