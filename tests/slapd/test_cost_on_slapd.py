"""What a round costs slapd does not grow with its connections."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from demo import wait
from demo.cluster import Cluster
from demo.node import Node
from ldaphealth.checks import BUILT_IN
from ldaphealth.ldap.deadline import Deadline
from ldaphealth.rounds.probe import probe_server
from ldaphealth.settings import ConfiguredCheck
from tests.slapd.watched import watched

pytestmark = pytest.mark.slapd

CONNECTIONS = 1000
ROUNDS = 50
NAMES = ("entry_count", "resources", "counters", "consumer", "monitor")
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def cpu_seconds(node: Node) -> float:
    """Return the CPU time of slapd, proc_pid_stat(5)."""
    stat = Path(f"/proc/{node.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(stat[11]) + int(stat[12])) / TICKS_PER_SECOND


def spent(node: Node, run: Callable[[], object]) -> float:
    """Return what slapd spends on some rounds."""
    before = cpu_seconds(node)
    for _ in range(ROUNDS):
        run()
    return cpu_seconds(node) - before


def test_a_thousand_connections_make_reading_the_monitor_no_dearer(cluster: Cluster) -> None:
    node = cluster.nodes[0]
    configured = watched(cluster, checks=("connect", "bind"))
    checks = [
        *configured.checks,
        *(ConfiguredCheck(BUILT_IN[n], BUILT_IN[n].params(), BUILT_IN[n].effect) for n in NAMES),
    ]

    def probe() -> None:
        seen = probe_server(configured.servers[0], checks, Deadline.after(5.0))
        assert [each.failure for each in seen] == [None] * len(checks)

    few = spent(node, probe)
    port = int(node.uri.rpartition(":")[2])
    with ExitStack() as clients:
        for _ in range(CONNECTIONS):
            clients.enter_context(socket.create_connection(("127.0.0.1", port)))
        current = ("cn=Current,cn=Connections,cn=Monitor", "monitorCounter")
        wait.until(lambda: int(node.root.read(*current)[0]) >= CONNECTIONS, 10.0, "not connected")
        many = spent(node, probe)

    assert many < few + ROUNDS * 0.003, "before, each round took 8 ms more"
