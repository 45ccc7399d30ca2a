"""A consumer whose `role` was left at `provider`: the setting is wrong, and not the server.

Without slapo-chain(5) it refuses writes. With it, its provider makes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from time import sleep

import pytest
from msgspec.structs import replace

from demo.cluster import Cluster
from demo.node import DATABASE, Node
from demo.tree import CHECK_DN, CHECK_PASSWORD
from ldaphealth.model import Finding, Role, Server, State, Trust
from ldaphealth.tasks.one_shot import evaluate
from tests.slapd.recorded import Recorded
from tests.slapd.test_propagation import Watch
from tests.slapd.test_propagation import make_canaries as make_tokens
from tests.slapd.watched import make_canaries, watched

pytestmark = pytest.mark.slapd

CHAIN = "olcOverlay=chain,olcDatabase={-1}frontend,cn=config"
CHAIN_ENTRY = """\
objectClass: olcOverlayConfig
objectClass: olcChainConfig
olcOverlay: chain
olcChainReturnError: TRUE"""
BACK_ENTRY = """\
objectClass: olcLDAPConfig
objectClass: olcChainDatabase
olcDatabase: ldap
olcDbURI: {uri}
olcDbIDAssertBind: bindmethod=simple binddn="{dn}" credentials="{password}" mode=none"""
MONITOR = "olcDatabase={2}monitor,cn=config"


@pytest.fixture(scope="module")
def running() -> Iterator[Cluster]:
    """Return two providers and a consumer of the first one."""
    with Cluster(size=3, consumers={3: 1}) as cluster:
        make_canaries(cluster, "lb1")
        yield cluster


@pytest.fixture(scope="module")
def chained() -> Iterator[Cluster]:
    """Return such a cluster with a consumer that has its provider make the writes."""
    with Cluster(size=3, consumers={3: 1}) as cluster:
        make_canaries(cluster, "lb1")
        provider, _, consumer = cluster.nodes
        refer(consumer, provider)
        consumer.root.modify(
            "cn=module{0},cn=config", "add: olcModuleLoad\nolcModuleLoad: back_ldap"
        )
        consumer.root.add(CHAIN, CHAIN_ENTRY)
        back = BACK_ENTRY.format(uri=provider.uri, dn=CHECK_DN, password=CHECK_PASSWORD)
        consumer.root.add(f"olcDatabase=ldap,{CHAIN.replace('=chain', '={0}chain')}", back)
        consumer.stop()  # cn=Monitor shows the `updateref` that slapd has started with
        consumer.start()
        cluster.wait_until_linked()
        yield cluster


def refer(consumer: Node, provider: Node) -> None:
    consumer.root.modify(DATABASE, f"replace: olcUpdateRef\nolcUpdateRef: {provider.uri}")


def all_providers(cluster: Cluster) -> tuple[Server, ...]:
    """Return the servers, all with the default role."""
    return tuple(replace(each, role=Role.PROVIDER) for each in watched(cluster).servers)


def written(cluster: Cluster) -> dict[str, list[Finding]]:
    """Return the findings of the check `write`, by server; all servers are in service."""
    configured = watched(cluster, checks=("connect", "bind", "write", "unbind"))
    verdicts = evaluate([replace(configured, servers=all_providers(cluster))]).verdicts
    assert all(each.in_service for each in verdicts)
    return {each.server: [f for f in each.findings if f.check == "write"] for each in verdicts}


@pytest.mark.parametrize("has_update_ref", [False, True])
def test_a_copy_that_refuses_writes_stays_in_service(
    running: Cluster, *, has_update_ref: bool
) -> None:
    provider, _, consumer = running.nodes
    if has_update_ref:
        refer(consumer, provider)

    found = written(running)

    [refused] = found["c/ldap3"]
    assert (refused.code, refused.state) == ("referral", State.WARNING)
    assert refused.trust is Trust.INFORMATIVE
    assert "set `role: consumer`" in refused.summary
    assert [each.code for each in found["c/ldap1"]] == ["ok"]


def test_a_token_that_a_copy_refuses_says_which_role_to_set(running: Cluster) -> None:
    make_tokens(running, "ldap3")
    copy = all_providers(running)[2]

    token = Watch((copy, *all_providers(running)[:2])).survey()

    assert (token.outcome, token.writer) == ("unwritten", "c/ldap3")
    assert "set `role: consumer`" in token.detail


def test_a_write_that_another_server_makes_is_neither_lost_nor_a_duplicate(
    chained: Cluster,
) -> None:
    with Recorded(chained, ("write",), servers=all_providers(chained)) as seen:
        sleep(4.0)

    assert seen.ever_wrong() == {}
    assert seen.ever_out() == set()


def test_without_cn_monitor_both_causes_are_named(chained: Cluster) -> None:
    consumer = chained.nodes[2]
    before = consumer.root.read(MONITOR, "olcAccess")
    consumer.root.modify(MONITOR, "replace: olcAccess\nolcAccess: to * by * none")
    try:
        with Recorded(chained, ("write",), servers=all_providers(chained)) as seen:
            sleep(2.0)
    finally:
        rules = "\n".join(f"olcAccess: {each}" for each in before)
        consumer.root.modify(MONITOR, f"replace: olcAccess\n{rules}")

    codes = {code for of in seen.ever_wrong().values() for code in of}
    assert codes <= {"write.duplicate_server_id"}
    states = {
        (found.code, found.state)
        for _, verdicts in seen.decided
        for verdict in verdicts.values()
        for found in verdict.findings
        if found.code == "duplicate_server_id"
    }
    assert states <= {("duplicate_server_id", State.WARNING)}


def test_a_token_that_arrives_late_is_not_lost(chained: Cluster) -> None:
    consumer = chained.nodes[2]
    consumer.cut_replication()
    try:
        found = written(chained)
    finally:
        consumer.heal()
        chained.wait_until_level()

    assert [each.code for each in found["c/ldap3"]] == ["ok"]
