"""How well outages agree with the incidents that people marked: a confusion matrix. Pure.

Positives are incidents: one is found if its server had an outage in its time, or a server of its
cluster if it is of the whole cluster. Negatives are hours of servers without an incident: one is
false if an outage was in it. Overrides of operators are no outages.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import floor
from statistics import median

from msgspec import Struct

from ldaphealth.backtest.share import Share
from ldaphealth.clocks import HOUR_SECONDS, EpochSeconds
from ldaphealth.history.availability import OPERATOR, Availability, Outage
from ldaphealth.history.incident import Incident, within_period

LATE_SECONDS = 60.0  # after the end of an incident an outage still belongs to it


class MarkedTime(Struct, frozen=True):
    """The part of an incident in a period: `target` is a server ID or the name of a cluster."""

    target: str
    began: EpochSeconds
    ended: EpochSeconds
    note: str = ""

    def is_of(self, server: str) -> bool:
        """Return whether it concerns a server."""
        return self.target in (server, server.partition("/")[0])

    def has(self, began: EpochSeconds, ended: EpochSeconds) -> bool:
        """Return whether some of a time belongs to it."""
        return began <= self.ended + LATE_SECONDS and ended >= self.began


class Score(Struct, frozen=True, kw_only=True):
    """The counts, and the median of the seconds until an incident was found (None: none was)."""

    found: int
    missed: int
    false_hours: int
    quiet_hours: int
    outages: int
    in_incidents: int
    found_after_seconds: float | None

    @property
    def sensitivity(self) -> Share:
        """Return the share of the incidents that were found."""
        return Share(self.found, self.found + self.missed)

    @property
    def specificity(self) -> Share:
        """Return the share of the hours without an incident that had no outage."""
        return Share(self.quiet_hours, self.quiet_hours + self.false_hours)

    @property
    def predictive_value(self) -> Share:
        """Return the share of the outages that were in an incident."""
        return Share(self.in_incidents, self.outages)


def marked_times(
    incidents: Iterable[Incident], cluster: str, since: EpochSeconds, until: EpochSeconds
) -> list[MarkedTime]:
    """Return the incidents of a cluster and its servers in a period, by their beginning."""
    return [
        MarkedTime(
            each.target,
            max(since, each.began),
            until if each.ended is None else min(until, each.ended),
            each.note,
        )
        for each in within_period(incidents, cluster, since, until)
    ]


def score(
    servers: Mapping[str, Availability], incidents: Sequence[MarkedTime], until: EpochSeconds
) -> Score:
    """Return the score of a period that ends at `until`; `servers` are its outages by server ID."""
    outages = {server: _own(of.outages) for server, of in servers.items()}
    delays = [each for one in incidents if (each := _delay(one, outages)) is not None]
    hours = {server: _hours(server, of, incidents, until) for server, of in servers.items()}
    false = sum(len(hours[server] & _hours_of(of)) for server, of in outages.items())
    every = [(server, each) for server, of in outages.items() for each in of]
    return Score(
        found=len(delays),
        missed=len(incidents) - len(delays),
        false_hours=false,
        quiet_hours=sum(map(len, hours.values())) - false,
        outages=len(every),
        in_incidents=sum(
            any(one.is_of(server) and one.has(each.began, each.ended) for one in incidents)
            for server, each in every
        ),
        found_after_seconds=median(delays) if delays else None,
    )


def _own(outages: Sequence[Outage]) -> list[Outage]:
    return [each for each in outages if OPERATOR not in each.causes]


def _delay(incident: MarkedTime, outages: Mapping[str, Sequence[Outage]]) -> float | None:
    """Return after how many seconds an incident was found, None if it was not."""
    begun = [
        each.began
        for server, of in outages.items()
        if incident.is_of(server)
        for each in of
        if incident.has(each.began, each.ended)
    ]
    return max(0.0, min(begun) - incident.began) if begun else None


def _hours(
    server: str, known: Availability, incidents: Sequence[MarkedTime], until: EpochSeconds
) -> set[int]:
    """Return the hours of which something is known, without those of incidents."""
    hours = _between(until - known.known_seconds, until) if known.known_seconds else set()
    for each in incidents:
        if each.is_of(server):
            hours -= _between(each.began, each.ended + LATE_SECONDS)
    return hours


def _hours_of(outages: Sequence[Outage]) -> set[int]:
    return set().union(*(_between(each.began, each.ended) for each in outages))


def _between(began: EpochSeconds, ended: EpochSeconds) -> set[int]:
    return {*range(floor(began / HOUR_SECONDS), floor(ended / HOUR_SECONDS) + 1)}
