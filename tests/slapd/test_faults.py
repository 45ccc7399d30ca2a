"""Each fault of one real server takes out that server, for the right reason, and no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from demo.cluster import Cluster
from demo.node import Node
from demo.tree import CANARIES, PEOPLE
from demo.writes import steady_writes
from ldaphealth.checks.canary import canary_dn
from ldaphealth.tasks.one_shot import evaluate
from tests.slapd.watched import make_canaries, out, watched

pytestmark = pytest.mark.slapd


@pytest.fixture(autouse=True)
def _canaries(cluster: Cluster) -> None:
    make_canaries(cluster, "lb1")


def test_healthy_servers_are_in_service(cluster: Cluster) -> None:
    snapshot = evaluate([watched(cluster)])

    assert [(v.in_service, v.reasons, v.weight) for v in snapshot.verdicts] == [(True, (), 100)] * 4


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        pytest.param(Node.kill, "connect.connect", id="killed"),
        pytest.param(Node.freeze, "bind.timeout", id="frozen"),
        pytest.param(Node.refuse_password, "bind.invalidCredentials", id="wrong password there"),
        pytest.param(
            lambda node: node.hide_base(PEOPLE), "search.noSuchObject", id="search base missing"
        ),
        pytest.param(Node.empty, "search.entries", id="empty"),
        pytest.param(Node.read_only, "write.unwillingToPerform", id="read-only"),
    ],
)
def test_a_broken_server_is_out_and_the_others_stay(
    cluster: Cluster, fault: Callable[[Node], None], reason: str
) -> None:
    fault(cluster.nodes[1])

    assert out(evaluate([watched(cluster)])) == {"c/ldap2": [reason]}


def test_a_slow_server_is_out_for_its_slow_search(cluster: Cluster) -> None:
    cluster.nodes[2].slow_searches(1.0)

    removed = out(evaluate([watched(cluster)]))

    assert list(removed) == ["c/ldap3"]
    assert "search.slow" in removed["c/ldap3"]


@pytest.mark.parametrize("frozen", [False, True], ids=["alone", "while another is frozen"])
def test_a_server_that_replication_no_longer_reaches_is_behind(
    cluster: Cluster, frozen: bool
) -> None:
    cluster.nodes[3].cut_replication()
    cluster.nodes[0].write()  # before the first after the cut there is nothing to be late with
    if frozen:
        cluster.nodes[1].freeze()

    with steady_writes(cluster.nodes[0], pause_seconds=0.05):
        removed = out(evaluate([watched(cluster)]))

    expected = {"c/ldap4": ["replication.behind"]}
    assert removed == (expected | {"c/ldap2": ["bind.timeout"]} if frozen else expected)


def test_steady_writes_make_nobody_late(cluster: Cluster) -> None:
    with steady_writes(cluster.nodes[0], pause_seconds=0.01):
        removed = [out(evaluate([watched(cluster)])) for _ in range(3)]

    assert removed == [{}] * 3


def test_our_expired_password_removes_nobody(cluster: Cluster) -> None:
    snapshot = evaluate([watched(cluster, password="expired")])

    assert [(v.in_service, v.held_by) for v in snapshot.verdicts] == [(True, "blind")] * 4


@pytest.fixture
def somebody_elses_entry(cluster: Cluster) -> Iterator[str]:
    """Return the DN of a precious entry where the canary of the agent `foreign` would be."""
    root = cluster.nodes[0].root
    dn = canary_dn(CANARIES, "foreign", watched(cluster).servers[0])
    root.add(dn, "objectClass: applicationProcess\nou: of somebody else\ndescription: precious")
    yield dn
    root.delete(dn)


def write_check_alone(cluster: Cluster, agent: str) -> tuple[bool, list[str]]:
    asked = watched(
        cluster, agent=agent, checks=("connect", "bind", "write"), nodes=cluster.nodes[:1]
    )
    verdict = evaluate([asked]).verdicts[0]
    return verdict.in_service, [reason.code for reason in verdict.reasons]


def test_a_missing_canary_is_told_and_removes_nobody(cluster: Cluster) -> None:
    assert write_check_alone(cluster, "nobody") == (True, ["write.no_canary"])


def test_what_is_no_canary_of_ours_is_never_written_to(
    cluster: Cluster, somebody_elses_entry: str
) -> None:
    assert write_check_alone(cluster, "foreign") == (True, ["write.foreign_entry"])
    assert cluster.nodes[0].root.read(somebody_elses_entry, "description") == ("precious",)
