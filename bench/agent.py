"""What an agent costs that looks at eight healthy servers every second: memory, and CPU a round.

`make bench` runs it; the peer is check_ldap, once for each round.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import psutil

from bench.cpu import CHECK_LDAP, process_seconds
from demo.cluster import Cluster
from tests.slapd.running_agent import RunningAgent

SECONDS = 30.0


def main() -> None:
    with Cluster(8) as cluster, tempfile.TemporaryDirectory() as directory:
        agent = RunningAgent(cluster, Path(directory), interval_seconds=1.0, deadline_seconds=5.0)
        agent.configure(servers=8)
        with agent:
            assert agent.process is not None
            process = psutil.Process(agent.process.pid)
            first, before = agent.status()["agent"]["rounds"], sum(process.cpu_times()[:2])
            time.sleep(SECONDS)
            rounds = agent.status()["agent"]["rounds"] - first
            seconds = sum(process.cpu_times()[:2]) - before
            memory = process.memory_info().rss
        host, _, port = cluster.nodes[0].uri.removeprefix("ldap://").rpartition(":")
        peer = [CHECK_LDAP, "-H", host, "-p", port, "-b", "", "-3"]
        theirs = statistics.median(process_seconds(peer) for _ in range(50))
    ours = seconds / rounds
    print(
        f"memory                       {memory / 2**20:6.1f} MiB with {len(cluster.nodes)} servers"
    )
    print(f"CPU a round, all of it       {ours * 1e3:6.2f} ms over {rounds} rounds")
    print(f"check_ldap, one process      {theirs * 1e3:6.2f} ms, ratio {ours / theirs:.2f}")


if __name__ == "__main__":
    main()
