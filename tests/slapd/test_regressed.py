"""An old backup restored on one server: it lacks what it had, and is out until it caught up."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from demo import wait
from demo.cluster import Cluster
from tests.slapd.running_agent import RunningAgent

pytestmark = pytest.mark.slapd


def test_an_old_backup_takes_the_server_out_until_it_caught_up(
    cluster: Cluster, tmp_path: Path
) -> None:
    node = cluster.nodes[3]
    node.stop()
    backup = tmp_path / "backup"
    shutil.copytree(node.database, backup)
    node.start()
    cluster.wait_until_linked()
    with RunningAgent(cluster, tmp_path) as agent:
        cluster.nodes[0].write(5)
        cluster.wait_until_level()
        rounds = agent.status()["agent"]["rounds"]
        wait.until(lambda: agent.status()["agent"]["rounds"] > rounds + 8, 10.0, "no rounds")

        node.cut_replication()  # else it catches up in a moment, as it should
        node.stop()
        shutil.rmtree(node.database)
        shutil.copytree(backup, node.database)
        node.start()
        wait.until(
            lambda: (
                "replication.regressed"
                in [reason["code"] for reason in agent.verdict("ldap4")["reasons"]]
            ),
            10.0,
            agent.log(),
        )
        agent.wait_for("ldap4", 1, 5.0)
        others = {server: agent.script(server) for server in ("ldap1", "ldap2", "ldap3")}
        cluster.heal()
        agent.wait_for("ldap4", 0, 15.0)

    assert others == dict.fromkeys(others, 0)
