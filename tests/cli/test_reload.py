"""`ldaphealth reload` with a real agent; tests/slapd/test_backtest.py has its question."""

from __future__ import annotations

import json
from pathlib import Path

from demo import wait
from tests.cli.started_agent import START_SECONDS, started
from tests.cli.test_past_changes import run

KEPT = "ldaphealth: not reloaded: the agent continues with the settings from before"
WOULD_FAIL = (
    "ldaphealth: not reloaded; with this file the agent would not start again after it ends\n"
)


def servers(directory: Path) -> list[str]:
    document = json.loads(run(directory, "status", "--format", "json").stdout)
    return [each["server"] for each in document["verdicts"]]


def test_a_changed_file_is_used(tmp_path: Path) -> None:
    with started(tmp_path) as agent:
        agent.wait_for("verdict")
        usual = agent.config.read_text()
        agent.config.write_text(usual.replace("{s: ", "{t: "))
        refused = run(tmp_path, "reload")
        as_json = run(tmp_path, "reload", "--format", "json")
        done = run(tmp_path, "reload", "--yes")
        wait.until(lambda: servers(tmp_path) == ["c/t"], START_SECONDS, "no verdict on c/t")
        agent.config.write_text(f"{usual}  track_files: true\n")
        again = run(tmp_path, "reload", "--yes")
        agent.config.write_text(usual)
        plain = run(tmp_path, "reload", "--format", "json", "--yes")
        log = agent.log

    why = "c/s would no longer be checked"
    assert refused.returncode == as_json.returncode == 1
    assert refused.stderr == f"{KEPT}: {why}; --yes reloads nevertheless\n"
    assert json.loads(as_json.stdout) == {"reloaded": False, "why": why}
    line = f"reloaded: {agent.config}: 1 cluster, 1 server\n"
    assert (done.returncode, done.stdout) == (0, line), done.stderr
    assert again.stdout.splitlines()[1:] == [
        "the changes below `agent` are used after a restart of the agent only"
    ]
    document = {"file": str(agent.config), "needs_restart": False, "last_day": {}}
    assert json.loads(plain.stdout) == {"reloaded": True, **document}
    assert log.count("event=reloaded") == 3
    assert log.count('event="reload requested" by=') == 3


def test_a_file_with_a_mistake_is_not_sent_to_the_agent(tmp_path: Path) -> None:
    with started(tmp_path) as agent:
        agent.wait_for("verdict")
        agent.config.write_text(agent.config.read_text().replace("interval_", "intervall_"))
        refused = run(tmp_path, "reload")
        log = agent.log

    assert (refused.returncode, refused.stdout) == (3, "")
    assert "did you mean interval_seconds?" in refused.stderr
    assert refused.stderr.endswith(WOULD_FAIL)
    assert "reload requested" not in log


def test_an_agent_that_reads_another_file_names_it(tmp_path: Path) -> None:
    with started(tmp_path) as agent:
        agent.wait_for("verdict")
        other = tmp_path / "other.yaml"
        other.write_text(agent.config.read_text())
        refused = run(tmp_path, "reload", "--config", str(other))
        link = tmp_path / "link.yaml"
        link.symlink_to(agent.config)
        linked = run(tmp_path, "reload", "--config", str(link))

    assert refused.returncode == 3
    command = f"`ldaphealth reload --config {agent.config}`"
    assert refused.stderr == f"ldaphealth: the agent reads another file: {command}\n"
    assert linked.returncode == 0, linked.stderr


def test_without_an_agent_the_next_step_is_named(tmp_path: Path) -> None:
    with started(tmp_path) as agent:
        agent.wait_for("verdict")
    refused = run(tmp_path, "reload")

    assert refused.returncode == 3
    assert "no agent runs here: `systemctl start ldaphealth-agent`" in refused.stderr
