"""A restart of the agent does not forget since when a server is behind."""

from __future__ import annotations

from pathlib import Path
from time import monotonic, sleep

import pytest

from demo import wait
from demo.cluster import Cluster
from demo.writes import steady_writes
from tests.slapd.running_agent import RunningAgent

pytestmark = pytest.mark.slapd


def behind_seconds(agent: RunningAgent, server: str) -> float:
    findings = agent.verdict(server)["findings"]
    metrics = [metric for finding in findings for metric in finding["metrics"]]
    return max(float(each["value"]) for each in metrics if each["name"] == "behind_seconds")


def test_behind_goes_on_growing_over_a_restart_of_the_agent(
    cluster: Cluster, tmp_path: Path
) -> None:
    first, last = cluster.nodes[0], cluster.nodes[3]
    quick = "replication: {behind: {warning: 1, critical: 2}}"
    with RunningAgent(cluster, tmp_path, more_checks=quick) as agent:
        last.cut_replication()
        with steady_writes(first, pause_seconds=0.1):
            agent.wait_for("ldap4", 1, 15.0)
            before, at = behind_seconds(agent, "ldap4"), monotonic()
            assert agent.stop() == 0
            sleep(1.0)
            agent.start()
            wait.until(lambda: agent.status()["agent"]["rounds"] >= 4, 5.0, agent.log())
            after, passed = behind_seconds(agent, "ldap4"), monotonic() - at
            answers = agent.script_answers()

    assert before > 2
    assert passed - 2.0 < after - before < passed + 2.0  # two rounds, and their reading
    assert after > before + 0.5
    assert answers == {"ldap1": 0, "ldap2": 0, "ldap3": 0, "ldap4": 1}
