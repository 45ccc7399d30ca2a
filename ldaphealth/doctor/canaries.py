"""The examinations of canaries: those of this agent, and those of other balancers. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping

from ldaphealth.checks.canary import this_agent
from ldaphealth.checks.own_entry import NOT_WRITTEN
from ldaphealth.doctor.by_code import count, problems_of
from ldaphealth.doctor.facts import ClusterFacts, Gathered
from ldaphealth.doctor.problem import Examined, Importance, Problem, Step
from ldaphealth.doctor.steps import command
from ldaphealth.model import Finding, State, Trust
from ldaphealth.settings import Cluster
from ldaphealth.tasks.canary_settings import canaries_of, canary_params
from ldaphealth.text.printable import printable

OF_CONSUMER = "; {} is a consumer, so that is needed only when it becomes a provider"
OTHER_BALANCER = "the other balancer"
CODES = tuple(code for code, _ in NOT_WRITTEN.values())
MARK = re.compile(r"ldaphealth canary of (?P<agent>\S{1,64}) for (?P<of>.+)")
NEXT = (
    "on that balancer run the command below; its agent has another name by its host name, "
    "or by `agent` of the check"
)


def examine_canaries(facts: Gathered) -> Examined:
    """Return canaries of this agent that are missing, or are not its own."""
    problems: list[Problem] = []
    clusters = [each for each in facts.clusters if canary_params(each.cluster)]
    for cluster in facts.clusters:
        seen = [each for each in cluster.findings if each.code in CODES]
        is_surveyed = any(each.check == "propagation" for each in seen)
        seen += _not_in_rounds(cluster, is_surveyed=is_surveyed)
        problems += problems_of(facts, cluster, seen, "canaries")
    servers = sum(len(each.cluster.data_servers) for each in clusters)
    reached = sum(len(each.reads) for each in clusters)
    return Examined(tuple(problems), count(min(reached, servers), servers))


def _not_in_rounds(cluster: ClusterFacts, *, is_surveyed: bool) -> Iterator[Finding]:
    """Yield findings on canaries that rounds do not read.

    Those of `propagation` are as its survey would give them. That of a consumer is a warning:
    nothing is written to it before the server is a provider.
    """
    canaries = {each.dn: each for each in canaries_of(cluster.cluster)}
    for server, read in cluster.reads.items():
        for dn, owner in read.owners.items():
            canary = canaries.get(dn)
            if canary is None or owner not in NOT_WRITTEN:
                continue
            if canary.is_written and is_surveyed:
                continue
            code, summary = NOT_WRITTEN[owner]
            later = "" if canary.is_written else OF_CONSUMER.format(canary.server.name)
            yield Finding(
                server=server,
                check=canary.purpose,
                state=State.UNKNOWN if canary.is_written else State.WARNING,
                code=code,
                summary=summary.format(dn) + later,
                trust=Trust.LOCAL,
            )


def examine_other_balancers(facts: Gathered) -> Examined:
    """Return other balancers that lack canaries, by the marks in the containers."""
    problems: list[Problem] = []
    agents: set[str] = set()
    is_of_pair = facts.keepalived is not None and facts.keepalived.is_of_pair
    for cluster in facts.clusters:
        params = canary_params(cluster.cluster)
        if not params:
            continue
        own = {each.agent or this_agent() for each in params.values()}
        seen = _marks_by_agent(cluster)
        agents |= set(seen)
        if not own & set(seen):  # nothing can be concluded from what the account does not see
            continue
        problems += _incomplete(cluster.cluster, seen, own)
        if is_of_pair and set(seen) <= own:
            problems.append(_alone(cluster.cluster, sorted(own)))
    names = ", ".join(map(printable, sorted(agents)[:5]))
    covered = f"agents with canaries: {names}" if agents else "no canaries can be seen"
    return Examined(tuple(problems), covered)


def _marks_by_agent(cluster: ClusterFacts) -> Mapping[str, frozenset[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for read in cluster.reads.values():
        for marks in read.marks.values():
            for mark in marks:
                if (match := MARK.fullmatch(mark)) is not None:
                    found[match["agent"]].add(mark)
    return {agent: frozenset(marks) for agent, marks in found.items()}


def _incomplete(
    cluster: Cluster, seen: Mapping[str, frozenset[str]], own: set[str]
) -> Iterator[Problem]:
    for agent in sorted(set(seen) - own):
        of_cluster = [each for each in seen[agent] if f" for {cluster.name}/" in each]
        wanted = canaries_of(cluster, agent)
        lacks = [each.server.name for each in wanted if each.mark not in seen[agent]]
        if of_cluster and lacks:
            names = ", ".join(dict.fromkeys(lacks))
            yield _problem(
                cluster,
                "incomplete",
                f"the balancer {printable(agent)} lacks canaries for {names} of {cluster.name}",
            )


def _alone(cluster: Cluster, own: list[str]) -> Problem:
    return _problem(
        cluster,
        "alone",
        f"keepalived.conf has a vrrp_instance, so there is a second balancer, and the container "
        f"in {cluster.name} has canaries of {', '.join(own)} only",
    )


def _problem(cluster: Cluster, code: str, what: str) -> Problem:
    return Problem(
        importance=Importance.MEND,
        code=f"balancers.{code}",
        where=(cluster.name,),
        what=what,
        why="its checks `write` and `propagation` write nothing, so that balancer does not see a "
        "server that takes no writes; two agents with one name would write to one entry",
        remedy=NEXT,
        steps=(
            Step(
                "command", command("ldaphealth", "canary", "apply", cluster.name), (OTHER_BALANCER,)
            ),
        ),
    )
