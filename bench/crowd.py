"""Whether an agent with many servers runs all rounds while its page and metrics are requested.

`make bench` runs it with a hundred servers; run `python -m bench.crowd --servers 1000` by hand.
One slapd that listens on every address of loopback stands for all of them. Its CPU is printed as
well, because it shares the machine with the agent.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from demo import ports
from demo.cluster import Cluster
from demo.node import Node
from demo.running_program import RunningProgram
from demo.tree import CHECK_DN, PEOPLE, SUFFIX

PROGRAM = Path(sys.executable).with_name("ldaphealth")
HOST = "127.0.0.1"
IN_MEMORY = "/dev/shm"  # noqa: S108  as /run is
INTERVAL_SECONDS = 5.0
IN_A_CLUSTER = 4
WARM_UP_SECONDS = 30.0
PATHS = ("/metrics", "/")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--servers", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--every", type=float, default=1.0, help="seconds between two requests")
    options = parser.parse_args()
    reservation = ports.reserve(1, (HOST,))
    (http,) = reservation.ports
    with Cluster(1) as cluster, tempfile.TemporaryDirectory(dir=IN_MEMORY) as directory:
        node = cluster.nodes[0]
        port = listen_everywhere(node)
        config = Path(directory) / "ldaphealth.yaml"
        password_file = cluster.accounts.check.password_file
        config.write_text(json.dumps(_settings(directory, http, port, password_file, options)))
        log = Path(directory) / "log"
        with RunningProgram([PROGRAM, "agent", "--config", config], log) as agent:
            _measure(psutil.Process(agent.pid), node, http, options)
    reservation.release()


def listen_everywhere(node: Node) -> str:
    """Make the slapd listen on 127.0.0.0/8; the harness gives each node one address."""
    port = node.uri.rpartition(":")[2]
    node.stop()
    node._urls = (f"ldap://0.0.0.0:{port}", node.ldapi_uri)  # noqa: SLF001
    node.start()
    return port


def _settings(
    directory: str, http: int, port: str, password_file: Path, options: argparse.Namespace
) -> dict[str, Any]:
    return {
        "agent": {
            "runtime_directory": f"{directory}/run",
            "state_directory": f"{directory}/state",
            "http": {"listen": f"{HOST}:{http}"},
        },
        "credentials": {"probe": {"dn": CHECK_DN, "password_file": str(password_file)}},
        "clusters": {
            f"c{first}": {
                "suffix": SUFFIX,
                "credentials": "probe",
                "interval_seconds": INTERVAL_SECONDS,
                "servers": {
                    f"ldap{n}": f"ldap://127.0.{1 + n // 200}.{1 + n % 200}:{port}"
                    for n in range(first, min(first + IN_A_CLUSTER, options.servers))
                },
                "checks": {"search": {"base": PEOPLE, "scope": "one"}},
            }
            for first in range(0, options.servers, IN_A_CLUSTER)
        },
    }


def _measure(process: psutil.Process, node: Node, http: int, options: argparse.Namespace) -> None:
    servers = options.servers
    time.sleep(WARM_UP_SECONDS)
    slapd = psutil.Process(node.pid)
    before, agent_before, slapd_before = _agent_status(http), _cpu(process), _cpu(slapd)
    threads = _by_thread(process)
    longest = dict.fromkeys(PATHS, 0.0)
    sizes = dict.fromkeys(PATHS, 0)
    started = time.monotonic()
    until = started + options.seconds
    while time.monotonic() < until:
        for path in PATHS:
            began = time.monotonic()
            sizes[path] = len(_read(http, path))
            longest[path] = max(longest[path], time.monotonic() - began)
        time.sleep(min(options.every, max(0.0, until - time.monotonic())))
    after, spent = _agent_status(http), _cpu(process) - agent_before
    seconds = time.monotonic() - started
    rounds = after["rounds"] - before["rounds"]
    print(
        f"{servers} servers every {INTERVAL_SECONDS:g} s, / and /metrics every "
        f"{options.every:g} s, {seconds:.0f} s:"
    )
    print(f"rounds   {rounds} of {servers * seconds / INTERVAL_SECONDS:.0f} due", end="")
    print(f", late {after['overruns'] - before['overruns']}, waiting {after['waiting']}")
    print(f"CPU      {spent / seconds:5.1%} of a core for the agent, HTTP responses included")
    print(f"         {(_cpu(slapd) - slapd_before) / seconds:5.1%} for slapd")
    of_threads = (each - threads.get(id_, 0.0) for id_, each in _by_thread(process).items())
    busiest = ", ".join(f"{each / rounds * 1e3:.2f}" for each in sorted(of_threads)[:-5:-1])
    print(f"         {spent / rounds * 1e3:.2f} ms a round; of the busiest threads: {busiest} ms")
    print(f"memory   {process.memory_info().rss / 2**20:5.1f} MiB")
    for path in PATHS:
        print(f"{path:8} {sizes[path] / 1024:6.0f} KiB, at most {longest[path] * 1e3:.0f} ms")


def _agent_status(http: int) -> Mapping[str, Any]:
    document: Mapping[str, Any] = json.loads(_read(http, "/api/v1/status"))["agent"]
    return document


def _read(http: int, path: str) -> bytes:
    with urllib.request.urlopen(f"http://{HOST}:{http}{path}", timeout=10) as response:
        body: bytes = response.read()
        return body


def _by_thread(process: psutil.Process) -> Mapping[int, float]:
    return {each.id: each.user_time + each.system_time for each in process.threads()}


def _cpu(process: psutil.Process) -> float:
    return sum(process.cpu_times()[:2])


if __name__ == "__main__":
    main()
