"""Each fault of one real server takes out that server, for the right reason, and no other."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from ldaphealth.canary import canary, canary_dn
from ldaphealth.check import Cluster, Planned
from ldaphealth.checks import BUILT_IN
from ldaphealth.checks.replication import Params as ReplicationParams
from ldaphealth.checks.search import Params as SearchParams
from ldaphealth.checks.write import Params as WriteParams
from ldaphealth.model import BindMethod, Credentials, Effect, Secret, Server, Snapshot
from ldaphealth.one_shot import evaluate
from ldaphealth.thresholds import Range, Thresholds, at_most
from tests.slapd_cluster import CANARIES, CHECK_DN, PASSWORD, PEOPLE, SUFFIX, Node, SlapdCluster

pytestmark = pytest.mark.slapd

PARAMS = {
    "search": SearchParams(
        base=PEOPLE,
        scope="one",
        entries=Thresholds(critical=Range(start=10)),
        seconds=at_most(0.3, 0.6),
    ),
    "replication": ReplicationParams(),
    "write": WriteParams(container=CANARIES, agent="lb1"),
}


def plan(*names: str) -> tuple[Planned, ...]:
    checks = [BUILT_IN[name] for name in names]
    return tuple(
        Planned(c, PARAMS[c.name] if c.name in PARAMS else c.params(), c.effect) for c in checks
    )


def watched(slapds: SlapdCluster) -> Cluster:
    credentials = Credentials(BindMethod.SIMPLE, CHECK_DN, Secret(PASSWORD))
    servers = tuple(
        Server("c", node.name, node.uri, SUFFIX, credentials=credentials) for node in slapds.nodes
    )
    checks = plan("connect", "bind", "search", "write", "monitor", "replication", "unbind")
    return Cluster("c", servers, checks, 2, deadline_seconds=4.0, second_look_seconds=1.0)


def out(snapshot: Snapshot) -> dict[str, list[str]]:
    return {
        verdict.server: [r.code for r in verdict.reasons if r.effect is Effect.OUT]
        for verdict in snapshot.verdicts
        if not verdict.in_service
    }


@pytest.fixture(autouse=True)
def _canaries(slapds: SlapdCluster) -> None:
    make_canaries(slapds, "lb1")


def test_healthy_servers_are_in_service(slapds: SlapdCluster) -> None:
    snapshot = evaluate([watched(slapds)])

    assert [(v.in_service, v.reasons, v.weight) for v in snapshot.verdicts] == [(True, (), 100)] * 4


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        pytest.param(Node.kill, "connect.connect", id="killed"),
        pytest.param(Node.freeze, "bind.timeout", id="frozen"),
        pytest.param(Node.refuse_password, "bind.invalidCredentials", id="wrong password there"),
        pytest.param(Node.hide_people, "search.noSuchObject", id="search base missing"),
        pytest.param(Node.empty, "search.entries", id="empty"),
        pytest.param(Node.read_only, "write.unwillingToPerform", id="read-only"),
    ],
)
def test_a_broken_server_is_out_and_the_others_stay(
    slapds: SlapdCluster, fault: Callable[[Node], None], reason: str
) -> None:
    fault(slapds.nodes[1])

    assert out(evaluate([watched(slapds)])) == {"c/ldap2": [reason]}


def test_a_slow_server_is_out_for_its_slow_search(slapds: SlapdCluster) -> None:
    slapds.nodes[2].slow_operations(1)

    removed = out(evaluate([watched(slapds)]))

    assert list(removed) == ["c/ldap3"]
    assert "search.slow" in removed["c/ldap3"]


@pytest.mark.parametrize("frozen", [False, True], ids=["alone", "while another is frozen"])
def test_a_server_that_replication_no_longer_reaches_is_behind(
    slapds: SlapdCluster, frozen: bool
) -> None:
    slapds.nodes[3].cut_replication()
    slapds.nodes[0].write("the first after the cut")  # before it there is nothing to be late with
    if frozen:
        slapds.nodes[1].freeze()
    done = threading.Event()

    def write() -> None:
        while not done.wait(0.05):
            slapds.nodes[0].write("while one is cut off")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        removed = out(evaluate([watched(slapds)]))
    finally:
        done.set()
        writer.join()

    expected = {"c/ldap4": ["replication.behind"]}
    assert removed == (expected | {"c/ldap2": ["bind.timeout"]} if frozen else expected)


def test_steady_writes_make_nobody_late(slapds: SlapdCluster) -> None:
    done = threading.Event()

    def write() -> None:
        while not done.wait(0.01):
            slapds.nodes[0].write("busy")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        removed = [out(evaluate([watched(slapds)])) for _ in range(3)]
    finally:
        done.set()
        writer.join()

    assert removed == [{}] * 3


def test_our_expired_password_removes_nobody(slapds: SlapdCluster) -> None:
    cluster = watched(slapds)
    wrong = Credentials(BindMethod.SIMPLE, CHECK_DN, Secret("expired"))
    cluster = replace(
        cluster, servers=tuple(replace(each, credentials=wrong) for each in cluster.servers)
    )

    snapshot = evaluate([cluster])

    assert [(v.in_service, v.held_by) for v in snapshot.verdicts] == [(True, "blind")] * 4


def test_two_agents_that_write_at_once_do_not_disturb_each_other(slapds: SlapdCluster) -> None:
    make_canaries(slapds, "lb2")
    other = WriteParams(container=CANARIES, agent="lb2")
    second = watched(slapds)
    checks = tuple(
        replace(each, params=other) if each.check.name == "write" else each
        for each in second.checks
    )
    both = [watched(slapds), replace(second, checks=checks)]

    assert [out(evaluate(both)) for _ in range(5)] == [{}] * 5


@pytest.mark.parametrize(
    ("dn_of", "code"),
    [
        pytest.param("nobody", "no_canary", id="missing"),
        pytest.param("foreign", "foreign_entry", id="not ours"),
    ],
)
def test_what_is_no_canary_of_ours_is_never_written_to(
    slapds: SlapdCluster, dn_of: str, code: str
) -> None:
    node = slapds.nodes[0]
    server = watched(slapds).servers[0]
    dn = canary_dn(CANARIES, "foreign", server)
    if dn_of == "foreign":
        node.add(dn, "objectClass: applicationProcess\nou: of somebody else\ndescription: precious")
    cluster = replace(watched(slapds), servers=(server,), checks=(*plan("connect", "bind"),))
    params = WriteParams(container=CANARIES, agent=dn_of)
    write = Planned(BUILT_IN["write"], params, Effect.OUT)

    verdict = evaluate([replace(cluster, checks=(*cluster.checks, write))]).verdicts[0]

    assert (verdict.in_service, [r.code for r in verdict.reasons]) == (True, [f"write.{code}"])
    if dn_of == "foreign":
        assert node.read(dn, "description") == ["precious"]
        node.delete(dn)


def make_canaries(slapds: SlapdCluster, agent: str) -> None:
    for server in watched(slapds).servers:
        dn = canary_dn(CANARIES, agent, server)
        attributes = "\n".join(f"{k}: {v}" for k, vs in canary(agent, server).items() for v in vs)
        if not slapds.nodes[0].exists(dn):
            slapds.nodes[0].add(dn, attributes)
    slapds.wait_until_level()
