"""HTTP of a real agent beside a real cluster: faults, reloads, the end; asking costs no LDAP."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo import ports, wait
from demo.cluster import Cluster
from demo.node import Node
from demo.running_program import RunningProgram
from tests.prometheus.server import get as ask
from tests.slapd.running_agent import PROGRAM, RunningAgent

pytestmark = pytest.mark.slapd
HOST = "127.0.0.1"
SOON_SECONDS = 10.0


def get(port: int, path: str) -> tuple[int, str]:
    """Return status and body."""
    status, _, body = ask(f"http://{HOST}:{port}{path}")
    return status, body.decode()


class Asked:
    """The agent, and where it answers."""

    def __init__(self, agent: RunningAgent, port: int) -> None:
        self.agent, self.port = agent, port

    def get(self, path: str) -> tuple[int, str]:
        """Return status and body."""
        return get(self.port, path)

    def wait_for(self, path: str, status: int) -> str:
        """Wait until the answer has this status, and return its body."""
        wait.until(lambda: self.get(path)[0] == status, SOON_SECONDS, f"{path} is not {status}")
        return self.get(path)[1]


@pytest.fixture
def asked(cluster: Cluster, tmp_path: Path) -> Iterator[Asked]:
    reserved = ports.reserve(1, (HOST,))
    port = reserved.ports[0]
    more = f', http: {{listen: "{HOST}:{port}"}}'
    with RunningAgent(cluster, tmp_path, more=more) as agent:
        yield Asked(agent, port)
    reserved.release()


def test_health_follows_faults_drains_and_reloads(asked: Asked) -> None:
    agent, nodes = asked.agent, asked.agent.cluster.nodes
    assert asked.get("/live")[0] == asked.get("/ready")[0] == 200
    assert asked.get("/health/c/ldap2") == (200, "c/ldap2 in service, weight 100\n")

    Node.freeze(nodes[1])
    assert asked.wait_for("/health/c/ldap2", 503) == "c/ldap2 out of service: bind.timeout\n"
    assert asked.get("/health/c?min=3")[0] == 200
    assert asked.get("/health/c?min=4")[0] == 503
    agent.cluster.heal()
    asked.wait_for("/health/c/ldap2", 200)

    agent.run("drain", "c/ldap1", "--for", "1h", "--reason", "x")
    assert asked.wait_for("/health/c/ldap1", 503) == "c/ldap1 draining, held by override\n"
    over_http = json.loads(asked.get("/api/v1/status")[1])
    assert over_http["overrides"]["c/ldap1"]["will"] == "drain"
    assert over_http.keys() - {"without_verdict"} <= agent.status().keys()
    assert agent.status()["listens"] == {"http": f"http://{HOST}:{asked.port}"}
    assert f"http://{HOST}:{asked.port}" in agent.run("status").stdout

    agent.configure(servers=2)
    agent.reload()
    asked.wait_for("/health/c/ldap4", 404)
    asked.wait_for("/ready", 200)
    agent.config.write_text(agent.config.read_text().replace("\n  c:\n", "\n  d:\n"))
    agent.reload()
    asked.wait_for("/health/c", 404)
    assert len(json.loads(asked.get("/api/v1/status")[1])["verdicts"]) in (0, 1, 2)
    asked.wait_for("/health/d", 200)


def test_the_history_by_http_is_that_of_the_command(asked: Asked) -> None:
    agent = asked.agent
    asked.wait_for("/ready", 200)
    agent.run("drain", "c/ldap1", "--for", "1h", "--reason", "new kernel")
    wait.until(
        lambda: len(json.loads(asked.get("/api/v1/history/changes?target=c/ldap1")[1])) > 1,
        SOON_SECONDS,
        "the drain is not in the history",
    )
    for path, options in (
        ("changes?target=c&limit=1000", ("c", "--limit", "1000")),
        ("changes?target=c/ldap1", ("c/ldap1",)),
    ):
        printed = agent.run("history", *options, "--format", "json").stdout
        assert json.loads(asked.get(f"/api/v1/history/{path}")[1]) == json.loads(printed)
    printed = agent.run("history", "c", "--availability", "--format", "json").stdout
    over_http = json.loads(asked.get("/api/v1/history/availability?target=c")[1])
    assert over_http.keys() == json.loads(printed).keys()
    assert [each["server"] for each in over_http["servers"]] == [
        each["server"] for each in json.loads(printed)["servers"]
    ]
    assert over_http["servers"][0]["removals"] == {"operator": 1}

    status, page = asked.get("/history/c/ldap1?period=hour")
    assert (status, "drained by" in page, "new kernel" in page) == (200, True, True)
    assert asked.get("/history/c")[0] == 200


def test_it_ends_within_two_seconds_whoever_is_connected(asked: Asked) -> None:
    clients = [socket.create_connection((HOST, asked.port)) for _ in range(50)]
    for client in clients[:25]:
        client.sendall(b"GET /live HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.recv(4096).startswith(b"HTTP/1.1 200")
    for client in clients[25:]:
        client.sendall(b"GET /l")
    began = time.monotonic()

    assert asked.agent.stop() == 0
    assert time.monotonic() - began < 2.0
    for client in clients:
        client.close()


def test_a_port_in_use_is_one_clear_line(asked: Asked, tmp_path: Path) -> None:
    agent = asked.agent
    other = tmp_path / "other.yaml"
    text = agent.config.read_text().replace(str(tmp_path / "run"), str(tmp_path / "run2"))
    other.write_text(text.replace(str(tmp_path / "state"), str(tmp_path / "state2")))
    done = subprocess.run(
        [PROGRAM, "agent", "--config", other],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )

    assert done.returncode == 3
    assert done.stderr == (
        f"ldaphealth: agent.http.listen: cannot listen on {HOST} port {asked.port}: "
        "Address already in use\n"
    )


def is_ready(port: int) -> bool:
    try:
        return get(port, "/ready")[0] == 200
    except OSError:
        return False


def test_asking_brings_no_ldap_traffic(tmp_path: Path) -> None:
    """A listener that never speaks LDAP counts who comes: as many as there were rounds."""
    came = 0
    reserved = ports.reserve(2, (HOST,))
    port, http = reserved.ports

    def count(listener: socket.socket) -> None:
        nonlocal came
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            came += 1
            peer.close()

    config = tmp_path / "ldaphealth.yaml"
    config.write_text(
        f'agent: {{runtime_directory: "{tmp_path}/run", state_directory: "{tmp_path}/state", '
        f'http: {{listen: "{HOST}:{http}"}}}}\n'
        f'clusters: {{c: {{interval_seconds: 3600, servers: {{a: "ldap://{HOST}:{port}"}}}}}}\n'
    )
    with socket.create_server((HOST, port)) as listener:
        thread = threading.Thread(target=count, args=(listener,))
        thread.start()
        agent = RunningProgram(
            [PROGRAM, "agent", "--config", config], tmp_path / "log", stop_seconds=5.0
        )
        try:
            with agent:
                agent.wait_until_ready(lambda: is_ready(http), SOON_SECONDS, "no verdict")
                before = came
                assert before > 0
                for path in (
                    "/",
                    "/live",
                    "/ready",
                    "/health/c",
                    "/health/c/a",
                    "/api/v1/status",
                    "/metrics",
                ):
                    for _ in range(20):
                        get(http, path)
                assert came == before
            assert agent.status == 0
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            reserved.release()
