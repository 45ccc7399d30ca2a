"""A real HAProxy obeys the agent, keeps what it knows without it, and obeys its operator first."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from demo import ports, wait
from demo.cluster import Cluster
from tests.slapd.haproxy import EXAMPLE, HOST, Haproxy, program
from tests.slapd.running_agent import RunningAgent

pytestmark = pytest.mark.slapd
SOON_SECONDS = 10.0
A_FEW_ROUNDS_SECONDS = 2.0  # of agent-check


@pytest.fixture
def port() -> Iterator[int]:
    reserved = ports.reserve(1, (HOST,))
    yield reserved.ports[0]
    reserved.release()


@pytest.fixture
def agent(cluster: Cluster, tmp_path: Path, port: int) -> Iterator[RunningAgent]:
    more = f', haproxy: {{listen: "{HOST}:{port}"}}'
    with RunningAgent(cluster, tmp_path, more=more) as running:
        yield running


@pytest.fixture
def haproxy(agent: RunningAgent, tmp_path: Path, port: int) -> Iterator[Haproxy]:
    with Haproxy(agent.cluster, tmp_path, port) as running:
        for node in agent.cluster.nodes:
            running.wait_for(node.name, "UP", SOON_SECONDS, "100")
        yield running


def test_haproxy_accepts_the_example() -> None:
    done = subprocess.run(
        [program(), "-c", "-f", EXAMPLE], capture_output=True, text=True, timeout=20, check=False
    )

    assert (done.returncode, "[WARNING]" in done.stderr) == (0, False), done.stderr


def test_haproxy_rejects_the_example_once_it_is_broken(tmp_path: Path) -> None:
    broken = tmp_path / "haproxy.cfg"
    broken.write_text(EXAMPLE.read_text().replace("agent-port", "agent-prt", 1))
    done = subprocess.run(
        [program(), "-c", "-f", broken], capture_output=True, timeout=20, check=False
    )

    assert done.returncode == 1


def test_a_dead_server_goes_out_by_the_agent_and_comes_back(
    agent: RunningAgent, haproxy: Haproxy
) -> None:
    node = agent.cluster.nodes[1]
    node.freeze()  # its own check needs three times three seconds for that
    began = time.monotonic()
    haproxy.wait_for("ldap2", "DOWN (agent)", SOON_SECONDS)
    print(f"DOWN after {time.monotonic() - began:.2f} s")  # noqa: T201  the number of the run
    assert haproxy.server("ldap2")["last_agt"] == "via agent : down (bind.timeout)"

    agent.cluster.heal()
    haproxy.wait_for("ldap2", "UP", SOON_SECONDS, "100")


def test_what_only_the_agent_sees_takes_a_server_out_and_back(
    agent: RunningAgent, haproxy: Haproxy
) -> None:
    agent.cluster.nodes[2].read_only()
    haproxy.wait_for("ldap3", "DOWN (agent)", SOON_SECONDS)
    assert haproxy.server("ldap3")["check_status"] == "L7OK"

    agent.cluster.heal()
    haproxy.wait_for("ldap3", "UP", SOON_SECONDS, "100")


def test_a_drained_server_takes_no_new_connections_and_keeps_its_old_ones(
    agent: RunningAgent, haproxy: Haproxy
) -> None:
    with ExitStack() as clients:
        for _ in range(8):
            clients.enter_context(haproxy.connect())
        wait.until(lambda: haproxy.server("ldap1")["scur"] == "2", 5.0, "not spread evenly")
        assert agent.run("drain", "c/ldap1", "--for", "1h", "--reason", "x").returncode == 0
        haproxy.wait_for("ldap1", "UP", SOON_SECONDS, "0")
        before = haproxy.server("ldap1")["stot"]
        for _ in range(12):
            clients.enter_context(haproxy.connect())
        wait.until(lambda: haproxy.server("ldap2")["scur"] == "6", 5.0, "not spread evenly")
        assert haproxy.server("ldap1")["stot"] == before
        assert haproxy.server("ldap1")["scur"] == "2"

    assert agent.run("undrain", "c/ldap1").returncode == 0
    haproxy.wait_for("ldap1", "UP", SOON_SECONDS, "100")
    with ExitStack() as clients:
        for _ in range(8):
            clients.enter_context(haproxy.connect())
        wait.until(lambda: haproxy.server("ldap1")["stot"] == "4", 5.0, "no new connections")


def test_without_the_agent_everything_stays_as_it_is(agent: RunningAgent, haproxy: Haproxy) -> None:
    assert agent.run("drain", "c/ldap1", "--for", "1h", "--reason", "x").returncode == 0
    assert agent.run("force-out", "c/ldap2", "--for", "1h", "--reason", "x").returncode == 0
    haproxy.wait_for("ldap1", "UP", SOON_SECONDS, "0")
    haproxy.wait_for("ldap2", "DOWN (agent)", SOON_SECONDS)
    agent.stop()
    time.sleep(A_FEW_ROUNDS_SECONDS)

    rows = [haproxy.server(node.name) for node in agent.cluster.nodes]
    assert [(row["status"], row["weight"]) for row in rows] == [
        ("UP", "0"),
        ("DOWN (agent)", "100"),
        ("UP", "100"),
        ("UP", "100"),
    ]
    agent.cluster.nodes[3].kill()  # HAProxy's own check goes on
    haproxy.wait_for("ldap4", "DOWN", SOON_SECONDS)

    agent.start()
    assert agent.run("undrain", "c/ldap1").returncode == 0
    assert agent.run("undrain", "c/ldap2").returncode == 0
    haproxy.wait_for("ldap1", "UP", SOON_SECONDS, "100")
    haproxy.wait_for("ldap2", "UP", SOON_SECONDS, "100")


def test_a_frozen_agent_changes_nothing(agent: RunningAgent, haproxy: Haproxy) -> None:
    agent.program.send(signal.SIGSTOP)
    try:
        time.sleep(A_FEW_ROUNDS_SECONDS)
        assert {haproxy.server(node.name)["status"] for node in agent.cluster.nodes} == {"UP"}
    finally:
        agent.program.send(signal.SIGCONT)


def test_a_word_of_haproxys_operator_is_never_taken_back(
    agent: RunningAgent, haproxy: Haproxy
) -> None:
    haproxy.say("set server ldap/ldap1 state maint")
    haproxy.say("set server ldap/ldap2 state drain")
    haproxy.wait_for("ldap1", "MAINT", SOON_SECONDS)
    time.sleep(A_FEW_ROUNDS_SECONDS)

    assert haproxy.server("ldap1")["status"] == "MAINT"
    assert haproxy.server("ldap2")["status"] == "DRAIN (agent)"
    assert agent.status()["verdicts"][0]["in_service"]
    haproxy.say("set server ldap/ldap1 state ready")
    haproxy.wait_for("ldap1", "UP", SOON_SECONDS)
