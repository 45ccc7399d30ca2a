"""Small facts for the examinations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ldaphealth.checks import BUILT_IN
from ldaphealth.doctor.facts import ClusterFacts, Gathered, LocalAgent
from ldaphealth.model import Finding, Server, State, Trust
from ldaphealth.settings import AgentSettings, Cluster, ConfiguredCheck


def server(number: int, uri: str = "") -> Server:
    return Server(cluster="c", name=f"ldap{number}", uri=uri or f"ldap://ldap{number}.test")


def cluster_of(servers: int, checks: Sequence[str] = ("connect", "bind", "unbind")) -> Cluster:
    return Cluster(
        name="c",
        servers=tuple(server(number) for number in range(1, servers + 1)),
        checks=tuple(
            ConfiguredCheck(check, check.params(), check.effect)
            for check in (BUILT_IN[name] for name in checks)
        ),
        min_in_service=1,
    )


def facts_of(*clusters: ClusterFacts, agent: LocalAgent | None = None) -> Gathered:
    return Gathered(
        config_file=Path("/etc/ldaphealth/ldaphealth.yaml"),
        agent_settings=AgentSettings(),
        clusters=clusters,
        agent=agent or LocalAgent(state="answers", servers=_servers(clusters)),
        no_keepalived="there is none",
    )


def _servers(clusters: Sequence[ClusterFacts]) -> frozenset[str]:
    return frozenset(each.id for cluster in clusters for each in cluster.cluster.servers)


def finding(
    reason: str, number: int = 1, state: State = State.CRITICAL, trust: Trust = Trust.SOFT
) -> Finding:
    check, _, code = reason.partition(".")
    return Finding(
        server=f"c/ldap{number}",
        check=check,
        state=state,
        code=code,
        summary=f"{code} of ldap{number}",
        trust=trust,
    )
