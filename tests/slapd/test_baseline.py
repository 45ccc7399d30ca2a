"""A whole cluster restored from an older backup: no server is removed, and then it is accepted."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from demo import wait
from demo.cluster import Cluster
from tests.slapd.running_agent import RunningAgent

pytestmark = pytest.mark.slapd

REGRESSED = "replication.regressed"


@pytest.fixture
def agent(cluster: Cluster, tmp_path: Path) -> Iterator[RunningAgent]:
    """Return a running agent of a cluster that has been restored from a copy of before its start.

    Without the check write: its canaries would be newer than all that the servers had.
    """
    for node in cluster.nodes:
        node.stop()
        shutil.copytree(node.database, tmp_path / f"backup-{node.name}")
    for node in cluster.nodes:
        node.start()
    cluster.wait_until_linked()
    with RunningAgent(cluster, tmp_path) as agent:
        configured = re.sub(r"      write: .*\n", "", agent.config.read_text())
        agent.config.write_text(f"{configured}      replication: {{baseline_seconds: 86400}}\n")
        agent.reload()
        cluster.nodes[0].write(5)
        cluster.nodes[1].write(5)
        cluster.wait_until_level()
        wait_for_rounds(agent)
        restore(cluster, tmp_path)
        wait.until(lambda: all_regressed(agent), 20.0, agent.log())
        yield agent


def restore(cluster: Cluster, directory: Path) -> None:
    """Restore all nodes, which were stopped together, as the guide to a disaster has it."""
    for node in cluster.nodes:
        node.stop()
    for node in cluster.nodes:
        shutil.rmtree(node.database)
        shutil.copytree(directory / f"backup-{node.name}", node.database)
    for node in cluster.nodes:
        node.start()


def wait_for_rounds(agent: RunningAgent, each: int = 4) -> None:
    """Wait until each node was probed so many times."""
    until = agent.status()["agent"]["rounds"] + each * len(agent.cluster.nodes)
    wait.until(lambda: agent.status()["agent"]["rounds"] > until, 20.0, "no rounds")


def reasons(agent: RunningAgent, server: str) -> dict[str, dict[str, Any]]:
    return {each["code"]: each for each in agent.verdict(server)["reasons"]}


def all_regressed(agent: RunningAgent) -> bool:
    return all(REGRESSED in reasons(agent, node.name) for node in agent.cluster.nodes)


def none_regressed(agent: RunningAgent) -> bool:
    return not any(REGRESSED in reasons(agent, node.name) for node in agent.cluster.nodes)


def baselines(agent: RunningAgent, target: str = "c") -> list[dict[str, Any]]:
    changes = json.loads(agent.run("history", target, "--format", "json").stdout)
    return [each["baseline"] for each in changes if "baseline" in each]


def test_no_server_goes_out_and_the_agent_accepts_it_after_agreement(agent: RunningAgent) -> None:
    for node in agent.cluster.nodes:
        agent.wait_for(node.name, 0, 10.0)
    wait_for_rounds(agent)
    assert set(agent.script_answers().values()) == {0}
    told = reasons(agent, "ldap1")[REGRESSED]
    assert (told["state"], told["removes"]) == ("CRITICAL", False)
    assert "as most servers do, so none is removed for it; accepted in 86" in told["summary"]
    assert baselines(agent) == []

    agent.config.write_text(agent.config.read_text().replace(": 86400", ": 2"))
    agent.reload()
    wait.until(lambda: none_regressed(agent), 10.0, agent.log())

    wait.until(lambda: len(baselines(agent)) == 1, 5.0, agent.log())
    [baseline] = baselines(agent)
    assert (baseline["accepted_by"], baseline["check"]) == ("agreement", "replication")
    assert {"001", "002"} <= baseline["replaced"]["dc=example,dc=com"].keys()
    assert (
        f" {'baseline':18}  c  by agreement: dc=example,dc=com: server ID 001 went back"
        in agent.run("history").stdout
    )
    assert 'event="new baseline"' in agent.log()
    of_cluster = agent.run("explain", "c", "--at", "0s")
    assert (of_cluster.returncode, of_cluster.stdout) == (3, "")
    assert "the history has no verdict on c at" in of_cluster.stderr


def test_an_operator_accepts_it_at_once_and_that_survives_a_crash(agent: RunningAgent) -> None:
    mistyped = agent.run("baseline", "d")
    assert (mistyped.returncode, mistyped.stderr) == (
        3,
        "ldaphealth: the agent has no cluster 'd'; there are c\n",
    )
    accepted = agent.run("baseline", "c")
    agent.kill()
    assert accepted.returncode == 0, accepted.stderr
    assert (
        "c: new baseline of replication: dc=example,dc=com: server ID 001 went back"
        in accepted.stdout
    )
    agent.start()
    wait_for_rounds(agent)

    assert none_regressed(agent)
    refused = agent.run("baseline", "c")
    assert refused.returncode == 3
    assert refused.stderr.startswith("ldaphealth: nothing to accept in c: ")


def test_one_server_that_is_restored_later_is_not_accepted(
    agent: RunningAgent, cluster: Cluster, tmp_path: Path
) -> None:
    document = json.loads(agent.run("baseline", "c", "--format", "json").stdout)
    assert [each["accepted_by"] for each in document["baselines"]] == ["operator"]
    cluster.wait_until_linked()
    cluster.nodes[0].write(5)
    cluster.wait_until_level()
    wait_for_rounds(agent)

    node = cluster.nodes[3]
    node.cut_replication()
    node.stop()
    shutil.rmtree(node.database)
    shutil.copytree(tmp_path / f"backup-{node.name}", node.database)
    node.start()
    agent.wait_for(node.name, 1, 15.0)

    assert reasons(agent, node.name)[REGRESSED]["removes"]
    assert agent.run("baseline", "c").returncode == 3
    cluster.heal()
    agent.wait_for(node.name, 0, 20.0)
    wait.until(lambda: none_regressed(agent), 10.0, agent.log())
