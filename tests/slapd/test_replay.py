"""The journal of a real agent beside slapd gives its verdicts again, bit for bit."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from demo.cluster import Cluster
from demo.tree import CANARIES
from tests.slapd.running_agent import RunningAgent

pytestmark = pytest.mark.slapd

LAST_SECONDS = 3.0  # of each fault: ten rounds
SURVEY = f"""propagation: {{container: "{CANARIES}", agent: agent, interval_seconds: 1}}
      counters: true"""


def replayed(agent: RunningAgent) -> dict[str, Any]:
    done = agent.run("replay", "--format", "json")
    assert done.returncode == 0, done.stdout + done.stderr
    (document,) = json.loads(done.stdout)
    return dict(document)


def test_faults_a_reload_and_a_restart_are_replayed_bit_for_bit(
    cluster: Cluster, tmp_path: Path
) -> None:
    first, second = cluster.nodes[:2]
    agent = RunningAgent(cluster, tmp_path, interval_seconds=0.3, more_checks=SURVEY)
    with agent:
        first.slow_searches(0.7)
        time.sleep(LAST_SECONDS)
        drain = ("drain", f"c/{second.name}", "--for", "1h", "--reason", "test")
        assert agent.run(*drain).returncode == 0
        cluster.heal()
        agent.configure(servers=len(cluster.nodes) - 1)
        agent.reload()
        second.freeze()
        time.sleep(LAST_SECONDS)
        cluster.heal()
        second.write()
        time.sleep(LAST_SECONDS)
        agent.stop()
    before = replayed(agent)
    with agent:
        time.sleep(LAST_SECONDS)
        beside = replayed(agent)
        agent.stop()
    after = replayed(agent)

    assert after["decisions"] > beside["decisions"] >= before["decisions"] > len(cluster.nodes)
    assert (after["different"], after["problems"]) == (0, {})
    history = json.loads(agent.run("history", "--format", "json").stdout)
    assert any(not each["verdict"]["in_service"] for each in history)
