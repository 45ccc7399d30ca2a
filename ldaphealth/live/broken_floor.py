"""Clusters with fewer servers in service than `min_in_service`, and why the floor does not hold.

The rule `floor` keeps servers in that fail softly. It keeps in no server that gives no LDAP
service, and none that an operator took out. Pure; the status and the page show the result.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from ldaphealth.guard import rule_named
from ldaphealth.model import Trust, Verdict
from ldaphealth.settings import Cluster
from ldaphealth.text.listed import listed
from ldaphealth.text.printable import printable
from ldaphealth.text.quantity import quantity

MOST_NAMES = 8
NAME_CHARACTERS = 64


class BrokenFloor(Struct, frozen=True, kw_only=True):
    """One cluster with too few servers in service; `summary` is one line for people."""

    cluster: str
    in_service: int
    min_in_service: int
    summary: str


def broken_floors(
    clusters: Iterable[Cluster], verdicts: Mapping[str, Verdict]
) -> Iterator[BrokenFloor]:
    """Yield the clusters of which too many servers are out; `verdicts` are the valid ones, by ID.

    A server without a verdict is not counted as out.
    """
    for cluster in clusters:
        known = [verdicts[each.id] for each in cluster.servers if each.id in verdicts]
        out = [each for each in known if not each.in_service]
        if len(cluster.servers) - len(out) < cluster.min_in_service:
            in_service = len(known) - len(out)
            sentence = (
                f"{printable(cluster.name, NAME_CHARACTERS)}: {in_service} of "
                f"{quantity(len(cluster.servers), 'server')} in service, fewer than min_in_service "
                f"({cluster.min_in_service})"
            )
            yield BrokenFloor(
                cluster=cluster.name,
                in_service=in_service,
                min_in_service=cluster.min_in_service,
                summary="; ".join([sentence, *_causes(out)]),
            )


def _causes(out: Sequence[Verdict]) -> Iterator[str]:
    """Yield why servers are out although the floor is broken, with their names."""
    groups: dict[str, list[str]] = {
        "out by override": [],
        "no LDAP service": [],
        "out, and nothing new is known": [],
    }
    by_override, hard, unknown = groups.values()
    for verdict in out:
        codes = {each.reason for each in verdict.findings if each.trust is Trust.HARD}
        rule = rule_named(verdict.held_by)
        if rule is not None and rule.is_operators_will:
            by_override.append(_name(verdict, "drain" if verdict.draining else "force-out"))
        elif codes:
            hard.append(_name(verdict, ", ".join(sorted(codes))))
        else:
            unknown.append(_name(verdict, ""))
    for cause, names in groups.items():
        if names:
            yield f"{cause}: {listed(names, MOST_NAMES)}"


def _name(verdict: Verdict, why: str) -> str:
    name = printable(verdict.server.partition("/")[2], NAME_CHARACTERS)
    return f"{name} ({printable(why, NAME_CHARACTERS)})" if why else name
