"""Problems of the findings of checks: those of one code on several servers are one problem. Pure.

What a code means and what to do is in reason_codes.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby

from ldaphealth.doctor.facts import ClusterFacts, Gathered
from ldaphealth.doctor.problem import Examined, Importance, Problem, joined
from ldaphealth.doctor.steps import Place, steps_for
from ldaphealth.model import Finding, Server, State
from ldaphealth.reason_codes import row_of
from ldaphealth.remedies import remedy_for
from ldaphealth.text.quantity import quantity

NO_ROW = "a check of another package reports it; its documentation has the meaning"


def by_codes(
    *codes: str, applies: Callable[[ClusterFacts, Server], bool] = lambda *_: True
) -> Callable[[Gathered], Examined]:
    """Return the examination of the findings with these codes, on servers to which it applies."""
    return lambda facts: _examined(facts, lambda code: code in codes, applies)


def by_other_codes(*codes: str) -> Callable[[Gathered], Examined]:
    """Return the examination of all findings with other codes than these."""
    return lambda facts: _examined(facts, lambda code: code not in codes, lambda *_: True)


def _examined(
    facts: Gathered,
    is_wanted: Callable[[str], bool],
    applies: Callable[[ClusterFacts, Server], bool],
) -> Examined:
    problems: list[Problem] = []
    servers: list[Server] = []
    examined = 0
    for cluster in facts.clusters:
        wanted = [
            each for each in cluster.findings if is_wanted(each.code) and each.state is not State.OK
        ]
        problems += problems_of(facts, cluster, wanted)
        applying = [each for each in cluster.cluster.servers if applies(cluster, each)]
        servers += applying
        reached = {each.id for each in cluster.reached} | {each.server for each in wanted}
        examined += sum(each.id in reached for each in applying)
    return Examined(tuple(problems), count(examined, len(servers)))


def count(examined: int, total: int) -> str:
    """Return how many servers were examined, of those that there are."""
    if not total:
        return "not used"
    if not examined:
        return f"not examined on any of {quantity(total, 'server')}"
    return f"{examined} of {quantity(total, 'server')}"


def likewise(findings: list[Finding]) -> str:
    """Return the summary of the first one, and how many more have the same code.

    Those are findings on its server, as on other replication links, and other servers.
    """
    more = len({each.server for each in findings}) - 1
    first = findings[0]
    there = sum(each.server == first.server for each in findings) - 1
    name = f"{first.server.partition('/')[2]}: " if more else ""
    others = f" (and {there} more there)" if there else ""
    return f"{name}{first.summary}{others}" + (f"; likewise {more} more" if more else "")


def problems_of(
    facts: Gathered, cluster: ClusterFacts, findings: Iterable[Finding], name: str = ""
) -> Iterator[Problem]:
    """Yield one problem for each code among findings on a cluster, with all its servers.

    `name`: all checks with a code are one problem under this name, as those that share an entry.
    """
    servers = {each.id: each for each in cluster.cluster.servers}

    def code_of(finding: Finding) -> str:
        return f"{name}.{finding.code}" if name else finding.reason

    for code, group in groupby(sorted(findings, key=code_of), key=code_of):
        same = sorted(group, key=lambda each: -each.state.severity)
        where = tuple(dict.fromkeys(each.server for each in same))
        checks = frozenset(each.check for each in same)
        row = row_of(code)
        yield Problem(
            importance=max((importance_of(each) for each in same), key=lambda each: each.value),
            code=code,
            where=where,
            what=likewise(same),
            why=row.means if row else NO_ROW,
            remedy=remedy_for(cluster.cluster, [servers[each] for each in where], same[0]),
            steps=joined(
                step
                for each in same
                for step in steps_for(place_of(facts, cluster, servers[each.server], each, checks))
            ),
        )


def place_of(
    facts: Gathered,
    cluster: ClusterFacts,
    server: Server,
    finding: Finding,
    checks: frozenset[str],
) -> Place:
    """Return where a finding was made."""
    read = cluster.reads.get(server.id)
    return Place(
        finding=finding,
        server=server,
        cluster=cluster.cluster,
        config_file=facts.config_file,
        checks=checks,
        is_openldap=read is None or read.is_openldap,
        lists_canaries=read is None or bool(read.marks),
    )


def importance_of(finding: Finding) -> Importance:
    """Return that of a finding: a check that cannot see, or would remove a server, is broken."""
    return Importance.MEND if finding.state is State.WARNING else Importance.BREAKS
