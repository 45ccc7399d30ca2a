"""Memory, and CPU per round, of an agent that probes eight healthy servers every second.

Measured once without and once with HTTP requests every second. `make bench` runs it; the peer is
check_ldap, once for each round.
"""

from __future__ import annotations

import statistics
import tempfile
import time
import urllib.request
from pathlib import Path

import psutil

from bench.cpu import CHECK_LDAP, process_seconds
from demo import ports
from demo.cluster import Cluster
from tests.slapd.running_agent import RunningAgent

SECONDS = 30.0
HOST = "127.0.0.1"
PATHS = ("/api/v1/status", "/health/c", "/health/c/ldap1", "/ready")


def measured(cluster: Cluster, more: str, http: int | None = None) -> tuple[float, float, int]:
    """Return memory in bytes, CPU seconds and rounds of an agent, with requests to an HTTP port."""
    with tempfile.TemporaryDirectory() as directory:
        agent = RunningAgent(
            cluster, Path(directory), interval_seconds=1.0, deadline_seconds=5.0, more=more
        )
        with agent:
            process = psutil.Process(agent.program.pid)
            first, before = agent.status()["agent"]["rounds"], sum(process.cpu_times()[:2])
            until = time.monotonic() + SECONDS
            while time.monotonic() < until:
                for path in PATHS if http else ():
                    with urllib.request.urlopen(
                        f"http://{HOST}:{http}{path}", timeout=5
                    ) as response:
                        response.read()
                time.sleep(1.0)
            rounds = agent.status()["agent"]["rounds"] - first
            seconds = sum(process.cpu_times()[:2]) - before
            return process.memory_info().rss, seconds, rounds


def main() -> None:
    with Cluster(8) as cluster:
        reserved = ports.reserve(2, (HOST,))
        http, haproxy = reserved.ports
        listen = f', http: {{listen: "{HOST}:{http}"}}, haproxy: {{listen: "{HOST}:{haproxy}"}}'
        alone = measured(cluster, "")
        requested = measured(cluster, listen, http)
        reserved.release()
        host, _, port = cluster.nodes[0].uri.removeprefix("ldap://").rpartition(":")
        peer = [CHECK_LDAP, "-H", host, "-p", port, "-b", "", "-3"]
        peer_seconds = statistics.median(process_seconds(peer) for _ in range(50))
        count = len(cluster.nodes)
    for what, (memory, seconds, rounds) in (("", alone), (", HTTP requests", requested)):
        round_seconds = seconds / rounds
        print(f"memory{what:<23}{memory / 2**20:6.1f} MiB with {count} servers")
        print(
            f"CPU per round{what:<16}{round_seconds * 1e3:6.2f} ms over {rounds} rounds, in total"
        )
        print(f"  to check_ldap              {round_seconds / peer_seconds:6.2f}")
    print(f"check_ldap, one process      {peer_seconds * 1e3:6.2f} ms")


if __name__ == "__main__":
    main()
