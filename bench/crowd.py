"""Whether an agent with many servers runs all rounds while its page and metrics are requested.

`make bench` runs it with a hundred servers; run `python -m bench.crowd --servers 1000` by hand.
One slapd that listens on every address of loopback stands for all of them. Its CPU is printed as
well, because it shares the machine with the agent. A part of the servers may hang (`--hanging`):
the kernel accepts connections for them, and no program does. How late the rounds of the others
began is read from the journal: a server's rounds are due every 5 seconds, and its earliest one was
not late.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import urllib.request
from collections.abc import Mapping, Sequence, Set
from itertools import chain
from pathlib import Path
from typing import Any

import psutil

from demo import ports
from demo.cluster import Cluster
from demo.node import Node
from demo.running_program import RunningProgram
from demo.tree import CHECK_DN, PEOPLE, SUFFIX
from ldaphealth import checks
from ldaphealth.agent.journal_segment import SegmentReader
from ldaphealth.agent.pool_events import RoundAdded
from ldaphealth.judging.quantile import quantile
from ldaphealth.store.journal_files import segments_by_cluster
from tests.hostile.servers import unaccepted

PROGRAM = Path(sys.executable).with_name("ldaphealth")
HOST = "127.0.0.1"
IN_MEMORY = "/dev/shm"  # noqa: S108  as /run is
INTERVAL_SECONDS = 5.0
IN_A_CLUSTER = 4
WARM_UP_SECONDS = 30.0
PATHS = ("/metrics", "/")
SHARES = (("median", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("most", 1.0))
AT_START = 2  # rounds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--servers", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--every", type=float, default=1.0, help="seconds between two requests")
    parser.add_argument("--hanging", type=float, default=0.0, help="the part of servers that hang")
    options = parser.parse_args()
    reservation = ports.reserve(1, (HOST,))
    (http,) = reservation.ports
    with (
        Cluster(1) as cluster,
        unaccepted() as silent,
        tempfile.TemporaryDirectory(dir=IN_MEMORY) as directory,
    ):
        node = cluster.nodes[0]
        port = listen_everywhere(node)
        hanging = set(range(round(options.servers * options.hanging)))
        places = [
            f"{HOST}:{silent}" if n in hanging else f"127.0.{1 + n // 200}.{1 + n % 200}:{port}"
            for n in range(options.servers)
        ]
        config = Path(directory) / "ldaphealth.yaml"
        password_file = cluster.accounts.check.password_file
        config.write_text(json.dumps(_settings(directory, http, places, password_file)))
        log = Path(directory) / "log"
        with RunningProgram([PROGRAM, "agent", "--config", config], log) as agent:
            since = time.monotonic()
            _measure(psutil.Process(agent.pid), node, http, options)
            print(f"after    {time.monotonic() - since:.0f} s, in which it warmed up:")
        answering = {f"ldap{n}" for n in range(len(places)) if n not in hanging}
        _print_lateness(Path(directory) / "state", answering)
    reservation.release()


def listen_everywhere(node: Node) -> int:
    """Make the slapd listen on 127.0.0.0/8; the harness gives each node one address."""
    port = node.uri.rpartition(":")[2]
    node.stop()
    node._urls = (f"ldap://0.0.0.0:{port}", node.ldapi_uri)  # noqa: SLF001
    node.start()
    return int(port)


def _settings(
    directory: str, http: int, places: Sequence[str], password_file: Path
) -> dict[str, Any]:
    clusters = -(-len(places) // IN_A_CLUSTER)  # each has at most one of the first quarter
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
                    f"ldap{n}": f"ldap://{places[n]}" for n in range(first, len(places), clusters)
                },
                "checks": {"search": {"base": PEOPLE, "scope": "one"}},
            }
            for first in range(clusters)
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


def _print_lateness(state_directory: Path, names: Set[str]) -> None:
    began: dict[str, list[float]] = {}
    for segment in chain.from_iterable(segments_by_cluster(state_directory).values()):
        for each in SegmentReader(segment.path, checks.find).recorded():
            if isinstance(each.event, RoundAdded):
                name = each.event.server.rpartition("/")[2]
                if name in names:
                    began.setdefault(name, []).append(each.event.period.began)
    late = [*chain.from_iterable(map(_lateness, began.values()))]
    quantiles = (f"{name} {quantile(late, share) * 1e3:.0f}" for name, share in SHARES)
    print(f"late     {', '.join(quantiles)} ms, of {len(late)} rounds of servers that answer")


def _lateness(began: Sequence[float]) -> Sequence[float]:
    """Return how late each round began, by the earliest one; the first of all are left out."""
    phases = [
        at - began[0] - round((at - began[0]) / INTERVAL_SECONDS) * INTERVAL_SECONDS
        for at in began[AT_START:]
    ]
    return [each - min(phases) for each in phases]


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
