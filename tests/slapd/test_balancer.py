"""HAProxy before two of the servers, watched as a server of the same cluster."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from time import sleep

import pytest
from msgspec.structs import replace

from demo import ports, wait
from demo.cluster import Cluster
from demo.running_program import RunningProgram
from ldaphealth.model import Role, Server, State
from ldaphealth.tasks.csn_watch import CSNWatch
from ldaphealth.tasks.one_shot import evaluate
from tests.slapd.haproxy import HOST, program
from tests.slapd.recorded import Recorded
from tests.slapd.watched import make_canaries, watched

pytestmark = pytest.mark.slapd

CONFIG = """\
defaults
    mode tcp
    timeout connect 2s
    timeout client 20s
    timeout server 20s
listen ldap
    bind {host}:{port}
    balance roundrobin
    {servers}
"""
CHECKS = ("search", "write", "replication", "consumer", "entry_count", "resources", "monitor")


@pytest.fixture
def balancer(cluster: Cluster, tmp_path: Path) -> Iterator[str]:
    """Return the URI of a balancer before the first two nodes."""
    make_canaries(cluster, "lb1")
    reserved = ports.reserve(1, (HOST,))
    (port,) = reserved.ports
    config = tmp_path / "haproxy.cfg"
    addresses = (node.uri.removeprefix("ldap://") for node in cluster.nodes[:2])
    servers = "\n    ".join(f"server s{n} {each}" for n, each in enumerate(addresses))
    config.write_text(CONFIG.format(host=HOST, port=port, servers=servers))
    running = RunningProgram([program(), "-db", "-f", config], tmp_path / "haproxy.log")
    running.start(lambda: is_listening(port), 10.0, "HAProxy does not listen")
    yield f"ldap://{HOST}:{port}"
    running.kill()
    reserved.release()


def is_listening(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex((HOST, port)) == 0


def with_balancer(cluster: Cluster, uri: str, role: Role = Role.BALANCER) -> tuple[Server, ...]:
    """Return the balancer and the servers behind it, which are configured under its address too."""
    behind = watched(cluster, nodes=cluster.nodes[:2]).servers
    return (replace(behind[0], name="balancer", uri=uri, role=role), *behind)


def test_a_balancer_accuses_no_server_and_is_judged_by_its_sessions(
    cluster: Cluster, balancer: str
) -> None:
    with Recorded(cluster, CHECKS, servers=with_balancer(cluster, balancer)) as seen:
        sleep(4.0)
        judged = {each.check: each.state for each in seen.findings("balancer")}

    assert seen.ever_wrong() == {}
    assert seen.ever_out() == set()
    assert judged == dict.fromkeys(("connect", "bind", "search", "unbind"), State.OK)


def test_without_the_role_it_seems_to_be_a_server_with_the_server_id_of_another(
    cluster: Cluster, balancer: str
) -> None:
    as_provider = with_balancer(cluster, balancer, Role.PROVIDER)
    make_canaries(cluster, "lb1", as_provider)
    with Recorded(cluster, ("write",), servers=as_provider) as seen:
        wait.until(lambda: "balancer" in seen.ever_wrong(), 10.0, "no finding")

    assert "write.duplicate_server_id" in seen.ever_wrong()["balancer"]


def test_a_balancer_without_servers_goes_out(cluster: Cluster, balancer: str) -> None:
    found = watched(cluster, checks=("connect", "bind", "search", "write", "unbind"))
    before = replace(found, servers=with_balancer(cluster, balancer))
    for node in cluster.nodes[:2]:
        node.kill()

    verdicts = {each.server: each for each in evaluate([before]).verdicts}

    assert not verdicts["c/balancer"].in_service


def test_csn_watch_leaves_it_out(cluster: Cluster, balancer: str) -> None:
    found = watched(cluster)
    configured = replace(found, servers=with_balancer(cluster, balancer))
    watch = CSNWatch(configured)
    watch.probe()

    assert [row["server"] for row in watch.matrix(0.0)["servers"]] == ["c/ldap1", "c/ldap2"]
