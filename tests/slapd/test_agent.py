"""The agent beside a real cluster: what keepalived's script answers, and when, whatever happens."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from demo import wait
from demo.cluster import Cluster
from demo.node import Node
from tests.files.limits import umask
from tests.slapd.running_agent import DEADLINE_SECONDS, INTERVAL_SECONDS, RunningAgent

pytestmark = pytest.mark.slapd

IN, OUT = 0, 1
ALL_IN = {f"ldap{number}": IN for number in (1, 2, 3, 4)}
# One interval and the deadline are the promise; the rest is this machine, with other tests on it.
PROMISE_SECONDS = INTERVAL_SECONDS + DEADLINE_SECONDS
AIR_SECONDS = 1.0


@pytest.fixture
def agent(cluster: Cluster, tmp_path: Path) -> Iterator[RunningAgent]:
    with RunningAgent(cluster, tmp_path) as running:
        yield running


def test_healthy_servers_are_in_service(agent: RunningAgent) -> None:
    assert agent.script_answers() == ALL_IN
    assert agent.script("ldap1", "--dynamic") == 102


@pytest.mark.parametrize(
    ("fault", "reason"), [(Node.kill, "connect.connect"), (Node.freeze, "bind.timeout")]
)
def test_a_dead_server_is_out_within_an_interval_and_the_deadline(
    agent: RunningAgent, fault: Callable[[Node], None], reason: str
) -> None:
    fault(agent.cluster.nodes[1])
    struck = time.monotonic()
    agent.wait_for("ldap2", OUT, PROMISE_SECONDS + AIR_SECONDS)
    print(f"out after {time.monotonic() - struck:.2f} s")  # noqa: T201  the number of the run

    assert agent.script_answers() == ALL_IN | {"ldap2": OUT}
    assert [each["code"] for each in agent.verdict("ldap2")["reasons"]] == [reason]
    agent.cluster.heal()
    agent.wait_for("ldap2", IN, 10.0)


def test_a_broken_expectation_takes_three_rounds(agent: RunningAgent) -> None:
    agent.cluster.nodes[1].read_only()
    agent.wait_for("ldap2", OUT, 10.0)
    wait.until(lambda: not agent.changes("ldap2")[0]["in_service"], 5.0, "it is not written")

    removed, held, *_ = agent.changes("ldap2")  # newest first
    assert (removed["held_by"], held["in_service"], held["held_by"]) == ("", True, "settle")
    assert agent.script_answers() == ALL_IN | {"ldap2": OUT}


def test_one_hiccup_removes_nobody(agent: RunningAgent) -> None:
    node = agent.cluster.nodes[1]
    seen = set()
    for _ in range(4):
        node.freeze()
        time.sleep(DEADLINE_SECONDS / 2)
        node.thaw()
        seen.add(agent.script("ldap2"))
        time.sleep(INTERVAL_SECONDS)
        seen.add(agent.script("ldap2"))

    assert seen == {IN}


def test_a_dead_agent_removes_nobody_and_hides_nobody(agent: RunningAgent) -> None:
    agent.kill()
    agent.cluster.nodes[2].kill()
    holds_seconds = 2 * INTERVAL_SECONDS + DEADLINE_SECONDS + 1.0
    time.sleep(holds_seconds + 1.0)  # /proc/uptime is read in whole seconds

    assert agent.script_answers() == ALL_IN | {"ldap3": OUT}


def test_a_frozen_agent_is_as_good_as_a_dead_one(agent: RunningAgent) -> None:
    agent.program.send(signal.SIGSTOP)
    agent.cluster.nodes[2].freeze()
    agent.wait_for("ldap3", OUT, 15.0)

    assert agent.script("ldap1") == IN


def test_an_operators_word_holds_also_while_the_agent_is_down(agent: RunningAgent) -> None:
    said = agent.run("drain", "c/ldap2", "--for", "1h", "--reason", "new kernel")
    assert said.returncode == 0, said.stderr
    assert (agent.script("ldap2"), agent.script("ldap2", "--dynamic")) == (OUT, 2)

    agent.stop()
    for path in (agent.directory / "run" / "verdicts" / "c").iterdir():
        path.unlink()
    assert agent.script("ldap2", "--dynamic") == 2

    agent.start()
    assert agent.script("ldap2", "--dynamic") == 2
    assert agent.status()["overrides"]["c/ldap2"]["reason"] == "new kernel"
    assert agent.run("undrain", "c/ldap2").returncode == 0
    agent.wait_for("ldap2", IN, 10.0)


def test_a_restart_forgets_no_removal(agent: RunningAgent) -> None:
    agent.cluster.nodes[1].kill()
    agent.wait_for("ldap2", OUT, 5.0)
    agent.stop()
    agent.start()

    assert agent.script("ldap2") == OUT
    assert agent.verdict("ldap2")["lasted_seconds"] > 0


def test_it_ends_in_two_seconds_while_a_server_hangs(agent: RunningAgent) -> None:
    agent.cluster.nodes[1].freeze()
    time.sleep(INTERVAL_SECONDS)
    started = time.monotonic()

    assert agent.stop() == 0
    assert time.monotonic() - started < 2.0
    assert not (agent.directory / "run" / "agent.sock").exists()


def test_a_wrong_new_configuration_is_refused_and_the_old_one_goes_on(agent: RunningAgent) -> None:
    agent.config.write_text("clusters: {}")
    agent.reload()
    wait.until(lambda: "the old configuration is kept" in agent.log(), 5.0, "nothing is logged")

    assert agent.status()["agent"]["servers"] == 4


def test_a_new_configuration_is_taken_and_keeps_what_is_known(agent: RunningAgent) -> None:
    agent.configure(servers=3)
    agent.reload()
    wait.until(lambda: agent.status()["agent"]["servers"] == 3, 5.0, "it is not taken")
    wait.until(
        lambda: not (agent.directory / "run" / "verdicts" / "c" / "ldap4").exists(),
        5.0,
        "the verdict on a server that is gone stays",
    )

    assert all(each["lasted_seconds"] > 0 for each in agent.status()["verdicts"])


def test_a_second_agent_is_refused(agent: RunningAgent) -> None:
    second = agent.run("agent")

    assert second.returncode == 3
    assert "another agent uses" in second.stderr


@pytest.mark.parametrize("name", ["state.json", "reads.json", "history.sqlite3"])
@pytest.mark.parametrize("kind", ["text", "FIFO", "directory"])
def test_a_broken_file_of_its_own_stops_nothing_and_is_set_aside(
    agent: RunningAgent, name: str, kind: str
) -> None:
    agent.stop()
    path = agent.directory / "state" / name
    path.unlink(missing_ok=True)
    if kind == "text":
        path.write_bytes(b"broken " * 1000)
    elif kind == "FIFO":
        os.mkfifo(path)
    else:
        path.mkdir()
    agent.start()

    assert agent.script_answers() == ALL_IN
    wait.until(path.is_file, 15.0, "there is no new file")
    aside = [*path.parent.glob(f"{name}.broken-*")]
    assert len(aside) == 1
    assert str(aside[0]) in agent.log()


def test_a_state_that_was_cut_off_keeps_all_overrides(agent: RunningAgent) -> None:
    for server in ("ldap1", "ldap2"):
        reason = f"for {server}"
        assert agent.run("drain", f"c/{server}", "--for", "1h", "--reason", reason).returncode == 0
    agent.kill()
    path = agent.directory / "state" / "state.json"
    content = path.read_bytes()
    broken = content[: content.index(b"for ldap2")]  # in the second override
    path.write_bytes(broken)
    one_shot = agent.run("check", "c", "--format", "json")
    agent.start()

    assert f"cannot read all overrides: {path}: " in one_shot.stderr
    held = {each["server"]: each["held_by"] for each in json.loads(one_shot.stdout)["verdicts"]}
    # The file for keepalived's script has the second one.
    assert (held["c/ldap1"], held["c/ldap2"]) == ("override", "override")
    assert sorted(agent.status()["overrides"]) == ["c/ldap1", "c/ldap2"]
    aside = [*path.parent.glob("state.json.broken-*")]
    assert [each.read_bytes() for each in aside] == [broken]
    assert "the state is damaged; what can be read of it is used" in agent.log()


@pytest.mark.parametrize("how", ["removed", "moved", "made again"])
def test_a_runtime_directory_that_is_gone_comes_back_with_all_that_is_in_it(
    agent: RunningAgent, how: str
) -> None:
    run = agent.directory / "run"
    run.rename(agent.directory / "moved")
    if how == "made again":
        run.mkdir(mode=0o700)
        run.chmod(0o777)
    wait.until(lambda: agent.run("status").returncode == 0, 10.0, agent.log())
    wait.until(lambda: agent.script_answers() == ALL_IN, 10.0, agent.log())

    said = "the control socket was removed; it is back"  # it answers a moment before
    wait.until(lambda: said in agent.log(), 10.0, agent.log())
    assert agent.run("drain", "c/ldap1", "--for", "1h", "--reason", "x").returncode == 0
    second = agent.run("agent")
    assert f"another agent uses {run}" in second.stderr
    assert stat.S_IMODE(run.stat().st_mode) == 0o755


@pytest.mark.parametrize("bits", [0o000, 0o077])
def test_no_umask_changes_a_mode(agent: RunningAgent, bits: int) -> None:
    agent.stop()
    for name in ("run", "state"):
        shutil.rmtree(agent.directory / name)
    with umask(bits):
        agent.start()
    assert agent.run("drain", "c/ldap1", "--for", "1h", "--reason", "x").returncode == 0
    state = agent.directory / "state"
    for name in ("history.sqlite3-shm", "reads.json"):
        wait.until((state / name).exists, 15.0, f"there is no {name}")

    found = {
        re.sub(r"\d+T\d+Z", "SEGMENT", str(each.relative_to(agent.directory))): stat.S_IMODE(
            each.lstat().st_mode
        )
        for top in (agent.directory / "run", state)
        for each in (top, *top.rglob("*"))
        if not each.name.endswith(".new")
    }
    assert found == {
        "run": 0o755,
        "run/agent.lock": 0o600,
        "run/agent.sock": 0o660,
        "run/balancer": 0o644,
        "run/verdicts": 0o755,
        "run/verdicts/c": 0o755,
        **{f"run/verdicts/c/ldap{number}": 0o644 for number in range(1, 5)},
        "state": 0o750,
        "state/agent.lock": 0o600,
        "state/c.SEGMENT.journal": 0o640,
        "state/history.sqlite3": 0o640,
        "state/history.sqlite3-shm": 0o640,
        "state/history.sqlite3-wal": 0o640,
        "state/overrides": 0o750,
        "state/overrides/c": 0o750,
        "state/overrides/c/ldap1": 0o640,
        "state/reads.json": 0o640,
        "state/state.json": 0o640,
    }


def test_explain_tells_what_was_seen_judged_and_guarded(agent: RunningAgent) -> None:
    agent.cluster.nodes[1].read_only()
    agent.wait_for("ldap2", OUT, 5.0)

    text = agent.run("explain", "c/ldap2").stdout
    document = json.loads(agent.run("explain", "c/ldap2", "--format", "json").stdout)

    assert "write.unwillingToPerform" in text
    assert "what to do: on 127.0.0.1: `olcReadOnly`" in text
    remedies = {each["check"]: each["remedy"] for each in document["judged"]}
    assert remedies["connect"] == ""
    assert "olcReadOnly" in remedies["write"]
    assert "OUT of service" in text
    assert document["seen"][0]["check"] == "connect"


def test_history_tells_the_changes_newest_first(agent: RunningAgent) -> None:
    agent.cluster.nodes[1].kill()
    agent.wait_for("ldap2", OUT, 5.0)
    wait.until(
        lambda: "connect.connect" in agent.run("history", "c/ldap2").stdout, 5.0, "not written"
    )

    first, *rest = agent.run("history", "c/ldap2").stdout.splitlines()
    assert " OUT " in first
    assert any(" in " in line for line in rest)
    then = agent.run("explain", "c/ldap2", "--at", first.split()[0])
    assert "OUT of service" in then.stdout
    future = agent.run("explain", "c/ldap2", "--at", "2100-01-01T00:00Z")
    assert (future.returncode, future.stdout) == (3, "")
    assert "2100-01-01T00:00:00Z is in the future" in future.stderr


def test_an_agent_with_directories_of_its_own_is_welcome(
    agent: RunningAgent, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with RunningAgent(agent.cluster, tmp_path_factory.mktemp("second")) as second:
        assert second.run("drain", "c/ldap1", "--for", "1h", "--reason", "x").returncode == 0
        assert second.script("ldap1") == OUT
        assert agent.script("ldap1") == IN


def test_a_server_that_moved_is_a_new_server(agent: RunningAgent) -> None:
    agent.cluster.nodes[1].kill()
    agent.wait_for("ldap2", OUT, 5.0)
    text = agent.config.read_text()
    old, new = agent.cluster.nodes[1].uri, agent.cluster.nodes[0].ldaps_uri
    assert new is not None
    tls = f"{{uri: '{new}', tls: {{ca_file: '{agent.cluster.ca_file}'}}}}"
    agent.config.write_text(text.replace(f"'{old}'", tls))
    agent.reload()

    wait.until(
        lambda: (
            {"c/ldap2": True}.items()
            <= {each["server"]: each["in_service"] for each in agent.status()["verdicts"]}.items()
        ),
        5.0,
        agent.log(),
    )
    assert agent.verdict("ldap2")["held_by"] == ""
