"""The agent beside a real cluster: what keepalived's script answers, and when, whatever happens."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from demo import wait
from demo.cluster import Cluster
from demo.node import Node
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
    wait.until(lambda: bool(agent.verdict("ldap2")["reasons"]), 5.0, "the fault is not seen")
    held = agent.verdict("ldap2")["held_by"]
    agent.wait_for("ldap2", OUT, 5.0)

    assert held == "settle"
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


@pytest.mark.parametrize("name", ["state.json", "history.sqlite3"])
def test_a_broken_file_of_its_own_stops_nothing(agent: RunningAgent, name: str) -> None:
    agent.stop()
    (agent.directory / "state" / name).write_bytes(b"broken " * 1000)
    agent.start()

    assert agent.script_answers() == ALL_IN


def test_explain_tells_what_was_seen_judged_and_guarded(agent: RunningAgent) -> None:
    agent.cluster.nodes[1].read_only()
    agent.wait_for("ldap2", OUT, 5.0)

    text = agent.run("explain", "c/ldap2").stdout
    document = json.loads(agent.run("explain", "c/ldap2", "--format", "json").stdout)

    assert "write.unwillingToPerform" in text
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
