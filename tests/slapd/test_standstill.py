"""An agent that is stopped in the middle of its probes, and continues about their deadline."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

from demo.cluster import Cluster
from tests.lateness import repeated_when_late
from tests.slapd.running_agent import DEADLINE_SECONDS, RunningAgent

pytestmark = pytest.mark.slapd

SEARCH_SECONDS = 0.1  # a session has a few searches, so that probes are mostly in progress
STOPPED_PARTS = (0.3, 0.7, 0.8, 0.9, 0.95, 1.0, 1.05, 1.1, 1.15, 3.0)  # of the deadline


@repeated_when_late  # slapd itself may get no CPU until the deadline
def test_an_agent_that_stood_still_removes_no_healthy_server(
    cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> None:
    for node in cluster.nodes:
        node.slow_searches(SEARCH_SECONDS)
    with RunningAgent(cluster, tmp_path_factory.mktemp("agent")) as agent:
        for part in STOPPED_PARTS:
            agent.program.send(signal.SIGSTOP)
            time.sleep(part * DEADLINE_SECONDS)
            agent.program.send(signal.SIGCONT)
            time.sleep(0.8)
        health = agent.status()["agent"]
        changes = json.loads(agent.run("history", "--limit", "1000", "--format", "json").stdout)

    removed = [each["verdict"] for each in changes if not each["verdict"]["in_service"]]
    assert [(each["server"], each["held_by"], each["reasons"]) for each in removed] == []
    assert health["late"] >= len(STOPPED_PARTS)
    assert health["late_seconds"] >= 0.9 * sum(STOPPED_PARTS) * DEADLINE_SECONDS
    assert "this host was too slow" in agent.log()


def test_a_server_that_froze_with_the_agent_goes_out_all_the_same(
    cluster: Cluster, tmp_path: Path
) -> None:
    with RunningAgent(cluster, tmp_path) as agent:
        agent.program.send(signal.SIGSTOP)
        cluster.nodes[1].freeze()
        time.sleep(2 * DEADLINE_SECONDS)
        agent.program.send(signal.SIGCONT)

        # Before, a script may have probed by itself, because the verdicts had expired.
        agent.program.wait_until(
            lambda: not agent.verdict("ldap2")["in_service"], 20.0, "ldap2 is in service"
        )
        assert agent.script_answers() == {"ldap1": 0, "ldap2": 1, "ldap3": 0, "ldap4": 0}
