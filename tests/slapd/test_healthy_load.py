"""Rolling restarts, bursts of writes and quiet spells: a healthy cluster, of which nobody goes out.

The suite plays two minutes of it; `make soak` half an hour.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from demo.cluster import Cluster
from demo.node import Node
from tests.slapd.running_agent import RunningAgent

pytestmark = pytest.mark.slapd

BURST = 300
QUIET_SECONDS = 3.0
AWAY_SECONDS = 0.7  # a bigger database than ours takes its time to open
QUICK_SECONDS = 1.3


def restarted(node: Node) -> float:
    """Stop and start a server as an upgrade does; return for how long it was away."""
    began = time.monotonic()
    node.stop()
    time.sleep(AWAY_SECONDS)
    node.start()
    return time.monotonic() - began


def test_a_healthy_load_removes_nobody(
    cluster: Cluster, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    until = time.monotonic() + pytestconfig.getoption("load_seconds")
    away: list[float] = []
    writes = 0
    with RunningAgent(cluster, tmp_path, interval_seconds=1.0, deadline_seconds=5.0) as agent:
        while time.monotonic() < until:
            for node in cluster.nodes:
                away.append(restarted(node))
                node.write(BURST)
                writes += BURST
                time.sleep(QUIET_SECONDS)
            print(  # noqa: T201  the numbers of the run
                f"{len(away)} restarts, away for {max(away):.2f} s at most; {writes} writes",
                flush=True,
            )
        answers = agent.script_answers()
        rounds = agent.status()["agent"]["rounds"]
        changes = json.loads(agent.run("history", "--limit", "1000", "--format", "json").stdout)

    removals = [each for each in changes if not each["verdict"]["in_service"]]
    print(f"{rounds} rounds, {len(removals)} removals")  # noqa: T201
    assert max(away) < QUICK_SECONDS, "no quick restart: the claim is about those"
    assert removals == []
    assert answers == dict.fromkeys(answers, 0)
