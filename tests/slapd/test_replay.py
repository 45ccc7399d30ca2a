"""The journal of a real agent beside slapd gives its verdicts again, bit for bit."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from demo.cluster import Cluster
from demo.tree import CANARIES
from tests.slapd.running_agent import RunningAgent

pytestmark = pytest.mark.slapd

WAIT_SECONDS = 20.0
LAST_SECONDS = 3.0  # of each fault: ten rounds
SURVEY = f"""propagation: {{container: "{CANARIES}", agent: agent, interval_seconds: 1}}
      counters: true"""


def replayed(agent: RunningAgent) -> dict[str, Any]:
    done = agent.run("replay", "--format", "json")
    assert done.returncode == 0, done.stdout + done.stderr
    (document,) = json.loads(done.stdout)
    return dict(document)


def explained(agent: RunningAgent, *arguments: str) -> dict[str, Any]:
    done = agent.run("explain", "c/ldap1", "--format", "json", *arguments)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def utc() -> str:
    """Return the time of day with a fraction of a second."""
    return datetime.now(UTC).isoformat()


def essence(document: Mapping[str, Any]) -> object:
    """Return what was judged, and facts that no round of a calm server changes."""
    search = next(each for each in document["seen"] if each["check"] == "search")
    codes = [(each["check"], each["code"], each["state"]) for each in document["judged"]]
    return codes, search["facts"], document["verdict"]["in_service"], document["uri"]


def test_explain_at_shows_what_it_showed_then(cluster: Cluster, tmp_path: Path) -> None:
    agent = RunningAgent(cluster, tmp_path, interval_seconds=0.5)
    with agent:
        agent.wait_for("ldap1", 0, WAIT_SECONDS)
        time.sleep(LAST_SECONDS)
        well, at_well = explained(agent), utc()
        cluster.nodes[0].empty()
        agent.program.wait_until(
            lambda: not agent.verdict("ldap1")["in_service"], WAIT_SECONDS, "it is in service"
        )
        out, at_out = explained(agent), utc()
        cluster.heal()
        agent.program.wait_until(
            lambda: bool(agent.verdict("ldap1")["in_service"]), WAIT_SECONDS, "it is out"
        )
        agent.stop()

    for before, at in ((well, at_well), (out, at_out)):
        past = explained(agent, "--at", at)
        assert essence(past["then"]) == essence(before)
        assert past["after"]["at"] > past["at"]
    assert past["before"]["verdict"]["in_service"]
    text = agent.run("explain", "c/ldap1", "--at", at_out, "--all").stdout
    assert "OUT of service" in text.partition("CHANGES")[0]
    assert "    entries: 0" in text
    assert text.partition("CHANGES")[2].count("c/ldap1") == len(("before", "then", "after"))


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
