"""The outages of servers in a period, each with the verdicts that were published meanwhile."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from ldaphealth.history.availability import OPERATOR, Outage, availability
from ldaphealth.report.period import Change, ReportPeriod, at_of, of_servers
from ldaphealth.store.service_history import service_change


class ServerOutage(Struct, frozen=True):
    """An outage of one server; `changes` are the verdicts in it, oldest first, at least one."""

    server: str
    outage: Outage
    changes: Sequence[Change]

    @property
    def is_ordered(self) -> bool:
        """Return whether an operator took the server out."""
        return OPERATOR in self.outage.causes


def outages_of(gathered: ReportPeriod) -> list[ServerOutage]:
    """Return all outages, by their beginning."""
    found: list[ServerOutage] = []
    for server, changes in of_servers(gathered).items():
        verdicts = [service_change(at_of(each), each) for each in changes]
        for outage in availability(verdicts, gathered.since, gathered.until).outages:
            within = [each for each in changes if outage.began <= at_of(each) < outage.ended]
            if not outage.has_begun:
                within = [gathered.before[server], *within]
            if within:
                found.append(ServerOutage(server, outage, within))
    return sorted(found, key=lambda each: (each.outage.began, each.server))


def most_important(outages: Sequence[ServerOutage], most: int) -> list[ServerOutage]:
    """Return at most so many, in their order: those that no operator ordered, then the longest."""
    ranked = sorted(outages, key=lambda each: (each.is_ordered, -each.outage.seconds))
    kept = {id(each) for each in ranked[:most]}
    return [each for each in outages if id(each) in kept]
