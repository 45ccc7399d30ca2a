"""The demo cluster as a configuration of ldaphealth describes it, and the canaries it needs.

The tests of this folder look at the nodes through it.
"""

from __future__ import annotations

from collections.abc import Sequence

from demo.cluster import Cluster
from demo.node import Node
from demo.tree import CANARIES, CHECK_DN, CHECK_PASSWORD, PEOPLE, SUFFIX
from ldaphealth import settings
from ldaphealth.checks import BUILT_IN
from ldaphealth.checks.canary import canary_dn, canary_entry
from ldaphealth.checks.search import Params as SearchParams
from ldaphealth.checks.write import Params as WriteParams
from ldaphealth.judging.thresholds import Range, Thresholds, at_most
from ldaphealth.model import BindMethod, CheckEffect, Credentials, Role, Secret, Server, Snapshot

CHECKS = ("connect", "bind", "search", "write", "monitor", "replication", "unbind")


def watched(
    cluster: Cluster,
    *,
    agent: str = "lb1",
    checks: Sequence[str] = CHECKS,
    nodes: Sequence[Node] | None = None,
    password: str = CHECK_PASSWORD,
) -> settings.Cluster:
    """Return what the agent is configured to check: all nodes, unless some are named."""
    return settings.Cluster(
        name="c",
        servers=tuple(_server(node, password, cluster) for node in nodes or cluster.nodes),
        checks=tuple(_planned(name, agent) for name in checks),
        min_in_service=2,
        deadline_seconds=4.0,
        second_look_seconds=1.0,
    )


def make_canaries(cluster: Cluster, agent: str) -> None:
    """Make the entries that the agent writes to, where they are missing: healing keeps them."""
    root = cluster.nodes[0].root
    there = {entry["dn"][0] for entry in root.search(CANARIES, scope="one")}
    for server in watched(cluster).servers:
        dn = canary_dn(CANARIES, agent, server)
        if dn not in there:
            attributes = canary_entry(agent, server).items()
            root.add(
                dn, "\n".join(f"{name}: {each}" for name, values in attributes for each in values)
            )
    cluster.wait_until_level()


def out(snapshot: Snapshot) -> dict[str, list[str]]:
    """Return the servers out of service, each with the reasons of checks that may do that."""
    return {
        verdict.server: [r.code for r in verdict.reasons if r.effect is CheckEffect.OUT]
        for verdict in snapshot.verdicts
        if not verdict.in_service
    }


def _server(node: Node, password: str, cluster: Cluster) -> Server:
    return Server(
        cluster="c",
        name=node.name,
        uri=node.uri,
        suffix=SUFFIX,
        credentials=Credentials(BindMethod.SIMPLE, CHECK_DN, Secret(password)),
        role=Role.CONSUMER if node in cluster.consumer_nodes else Role.PROVIDER,
    )


def _planned(name: str, agent: str) -> settings.ConfiguredCheck:
    built_in = BUILT_IN[name]
    match name:
        case "search":
            params: object = SearchParams(
                base=PEOPLE,
                scope="one",
                entries=Thresholds(critical=Range(start=10)),
                seconds=at_most(0.3, 0.6),
            )
        case "write":
            params = WriteParams(container=CANARIES, agent=agent)
        case _:
            params = built_in.params()
    return settings.ConfiguredCheck(built_in, params, built_in.effect)
