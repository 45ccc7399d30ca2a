"""The history of a real agent has numbers of slapd: how far one was behind, and its resources."""

from __future__ import annotations

import json
from pathlib import Path
from time import sleep
from typing import Any

import pytest

from demo.cluster import Cluster
from tests.slapd.running_agent import RunningAgent

pytestmark = pytest.mark.slapd

BEHIND_SECONDS = 4.0
SLACK_SECONDS = 3.0  # a busy machine


def numbers(agent: RunningAgent, *arguments: str) -> dict[str, dict[str, Any]]:
    """Return what the history has of a number, by server and label."""
    done = agent.run("history", "c", *arguments, "--since", "1h", "--format", "json")
    assert done.returncode == 0, done.stderr
    return {
        each["server"]: {of["label"]: of for of in each["numbers"]}
        for each in json.loads(done.stdout)["servers"]
    }


def test_numbers_of_slapd_are_in_the_history(cluster: Cluster, tmp_path: Path) -> None:
    agent = RunningAgent(cluster, tmp_path)
    first, *_, last = cluster.nodes
    with agent:
        last.cut_replication()
        first.write()
        sleep(BEHIND_SECONDS)
        cluster.heal()
        sleep(1.0)
        agent.stop()

    behind = numbers(agent, "--replication")
    most = {name: max(of["most"] for of in labels.values()) for name, labels in behind.items()}
    assert most[f"c/{last.name}"] == pytest.approx(BEHIND_SECONDS, abs=SLACK_SECONDS)
    assert most[f"c/{first.name}"] < BEHIND_SECONDS
    pages = numbers(agent, "--number", "resources.database_pages")
    most_pages = numbers(agent, "--number", "resources.database_pages_max")
    connections = numbers(agent, "--number", "resources.connections")
    for node in cluster.nodes:
        for suffix, found in pages[f"c/{node.name}"].items():
            assert (
                0 < found["least"] <= found["most"] < most_pages[f"c/{node.name}"][suffix]["last"]
            )
        assert connections[f"c/{node.name}"][""]["least"] >= 1
    assert set(numbers(agent, "--number", "resources.connections_max")) == set(connections)
    text = agent.run("history", f"c/{last.name}", "--replication", "--since", "1h").stdout
    assert text.startswith("replication.behind_seconds by 1 min, ")
    assert f"c/{last.name} 001" in text
