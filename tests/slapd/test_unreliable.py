"""A real slapd behind a proxy that loses some connections goes out, and comes back after that."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from time import sleep
from urllib.parse import urlsplit

import pytest
from msgspec.structs import replace

from bench.faults import proxy as network
from bench.faults.proxy import HOST, Proxies
from demo import ports, wait
from demo.cluster import Cluster
from ldaphealth.checks.session import Params
from ldaphealth.model import Server
from tests.slapd.recorded import Recorded
from tests.slapd.watched import watched

pytestmark = pytest.mark.slapd

BUSY, UNAVAILABLE = 51, 52
CHECKS = ("search", "session")
# The default settings with a shorter time, because these rounds follow more quickly.
QUICK = {"session": Params(lasting_seconds=2.0, window_seconds=10.0)}
LATE_SECONDS = 0.8


@pytest.fixture
def proxies(cluster: Cluster) -> Iterator[Proxies]:
    targets = [urlsplit(node.uri).port or 0 for node in cluster.nodes]
    reservation = ports.reserve(len(targets), (HOST,))
    try:
        with Proxies(list(zip(reservation.ports, targets, strict=True)), seed=1) as made:
            yield made
    finally:
        reservation.release()


def behind(proxies: Proxies, cluster: Cluster) -> Sequence[Server]:
    return [
        replace(server, uri=f"ldap://{HOST}:{proxy.port}")
        for server, proxy in zip(watched(cluster).servers, proxies.each, strict=True)
    ]


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        pytest.param(
            network.some(network.every(2), network.reset), "session.unreliable", id="resets half"
        ),
        pytest.param(
            network.searches_end(network.every(3), BUSY), "session.unreliable", id="busy at times"
        ),
        pytest.param(
            network.searches_end(network.every(3), UNAVAILABLE),
            "session.unreliable",
            id="unavailable at times",
        ),
        pytest.param(
            network.late(lambda: LATE_SECONDS), "session.slower_than_pool", id="slower by far"
        ),
    ],
)
def test_a_server_that_fails_at_times_goes_out_and_comes_back(
    cluster: Cluster, proxies: Proxies, behaviour: network.Behaviour, reason: str
) -> None:
    servers = behind(proxies, cluster)
    with Recorded(cluster, CHECKS, params=QUICK, servers=servers) as seen:
        sleep(2.0)
        proxies.each[1].behaviour = behaviour
        wait.until(lambda: reason in seen.ever_wrong().get("ldap2", ()), 15.0, "nothing is found")
        seen.until_out({"ldap2"}, 15.0)
        proxies.each[1].behaviour = network.forward
        seen.until_out(set(), 15.0)

    assert seen.ever_out() == {"ldap2"}


def test_what_is_lost_at_every_server_removes_none(cluster: Cluster, proxies: Proxies) -> None:
    servers = behind(proxies, cluster)
    with Recorded(cluster, CHECKS, params=QUICK, servers=servers) as seen:
        for proxy in proxies.each:
            proxy.behaviour = network.some(network.every(3), network.reset)
        sleep(8.0)

    assert seen.ever_out() == set()
    assert all("session.unreliable" in codes for codes in seen.ever_wrong().values())


@pytest.mark.parametrize("times", [1, 2])
def test_restarts_within_a_window_remove_none(cluster: Cluster, times: int) -> None:
    with Recorded(cluster, CHECKS, params=QUICK) as seen:
        for _ in range(times):
            cluster.nodes[1].stop()
            cluster.nodes[1].start()
            sleep(3.0)

    assert seen.ever_out() == set()
