"""Other settings for what a real agent saw of slapd: a slow server would have been removed."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from demo.cluster import Cluster
from tests.slapd.running_agent import RunningAgent

pytestmark = pytest.mark.slapd

WAIT_SECONDS = 20.0
SLOW_SECONDS = 6.0


def test_a_slow_server_would_have_been_removed(cluster: Cluster, tmp_path: Path) -> None:
    agent = RunningAgent(cluster, tmp_path, interval_seconds=0.5, deadline_seconds=3.0)
    with agent:
        for node in cluster.nodes:
            agent.wait_for(node.name, 0, WAIT_SECONDS)
        began = datetime.now(UTC).isoformat()
        cluster.nodes[0].slow_searches(0.7)
        time.sleep(SLOW_SECONDS)
        mark = ("incident", "add", "c/ldap1", "--from", began, "--note", "slow logins")
        assert agent.run(*mark).returncode == 0
        agent.stop()

    usual = (tmp_path / "ldaphealth.yaml").read_text()
    strict = tmp_path / "strict.yaml"
    entries = 'entries: {critical: "10:"}'
    assert entries in usual
    strict.write_text(
        usual.replace(entries, f"{entries}, seconds: {{critical: 0.5}}").replace(
            "settle: {", "settle: {fall_soft: 1, "
        )
    )

    done = agent.run("backtest", "--config", str(strict), "--since", "1h", "--format", "json")
    assert done.returncode == 0, done.stderr
    (document,) = json.loads(done.stdout)
    before, after = document["sides"]
    assert before["out_of_service"]["outages"] == 0
    assert after["out_of_service"]["causes"] == {"search.slow": 1}
    assert after["out_of_service"]["score"]["found"] == 1
    assert after["left_out"] == []

    checked = agent.run("config", "check", str(strict))
    assert checked.returncode == 0, checked.stderr
    (line,) = (each for each in checked.stdout.splitlines() if "the last day" in each)
    assert "the last day, with these settings: 1 removal for" in line
    assert line.endswith("(search.slow 1); as it was: no removal")
    plain = json.loads(agent.run("config", "check", str(strict), "--format", "json").stdout)
    assert plain["last_day"]["c"]["sides"][1]["out_of_service"]["outages"] == 1
    same = agent.run("config", "check")
    assert same.returncode == 0
    assert "the last day" not in same.stdout

    agent.start()
    agent.config.write_text(strict.read_text())
    asked = agent.run("reload")
    before = agent.log()
    forced = agent.run("reload", "--yes")
    agent.kill()

    assert (asked.returncode, forced.returncode) == (1, 0), asked.stderr + forced.stderr
    assert "cluster c: the last day, with these settings: 1 removal for" in asked.stdout
    why = "servers of c would have been out of service for longer"
    assert f"{why}; --yes reloads nevertheless" in asked.stderr
    assert "event=reloaded" not in before
    assert f"reloaded: {agent.config}: 1 cluster, " in forced.stdout
