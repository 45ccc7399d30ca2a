"""A server that is behind its reference does not come back because the reference died."""

from __future__ import annotations

from pathlib import Path

import pytest

from demo import wait
from demo.cluster import Cluster
from tests.slapd.running_agent import RunningAgent

pytestmark = pytest.mark.slapd

ROUNDS = 4 * 12  # of four servers, each with twelve


def test_a_server_that_is_behind_stays_out_while_its_reference_is_dead(
    cluster: Cluster, tmp_path: Path
) -> None:
    settings = 'replication: {reference: "server:ldap1", behind: {critical: 1}}'
    with RunningAgent(cluster, tmp_path, more_checks=settings) as agent:
        cluster.nodes[3].cut_replication()
        cluster.nodes[0].write(5)
        agent.wait_for("ldap4", 1, 15.0)

        cluster.nodes[0].stop()
        agent.wait_for("ldap1", 1, 10.0)
        rounds = agent.status()["agent"]["rounds"]
        wait.until(lambda: agent.status()["agent"]["rounds"] > rounds + ROUNDS, 30.0, "no rounds")
        verdict = agent.verdict("ldap4")
        explained = agent.run("explain", "c/ldap4").stdout

        cluster.heal()
        cluster.nodes[0].start()
        agent.wait_for("ldap4", 0, 20.0)

    assert not verdict["in_service"], explained
    assert [each["code"] for each in verdict["reasons"]] == ["replication.no_reference"]
    assert "taken out by replication" in explained
