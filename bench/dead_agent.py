"""What a dead agent costs: one cycle of keepalived's scripts for many servers, without an agent.

`make bench` runs it. One slapd that listens on every address of loopback stands for all servers;
one server is drained. keepalived starts all scripts of a cycle at about the same time.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from bench.crowd import listen_everywhere
from demo.cluster import Cluster
from demo.node import Node
from demo.tree import CHECK_DN, PEOPLE, SUFFIX
from ldaphealth.clocks import boot_seconds
from ldaphealth.guard import Memory, Override
from ldaphealth.store.state_file import save_state, state_path

PROGRAM = Path(sys.executable).with_name("ldaphealth")
SCRIPT = Path(__file__).parents[1] / "keepalived" / "ldaphealth-check"
DELAY_LOOP_SECONDS = 8.0
DRAINED = "c/ldap0"
STATUS_IN, STATUS_DRAINED = 102, 2


class Cycle(Struct, frozen=True, kw_only=True):
    """One run of the scripts of all servers. `longest_seconds` is that of the slowest script."""

    statuses: Mapping[str, int]
    longest_seconds: float
    cpu_seconds: float
    connections: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--servers", type=int, nargs="+", default=[50, 100, 200])
    parser.add_argument("--cycles", type=int, default=2)
    options = parser.parse_args()
    print(f"{'servers':>7} {'cycle':>5} {'connections':>11} {'CPU':>7} {'slowest':>8}   statuses")
    with Cluster(1) as cluster:
        node = cluster.nodes[0]
        port = listen_everywhere(node)
        for servers in options.servers:
            with tempfile.TemporaryDirectory(prefix="ldaphealth-bench-") as made:
                settings = prepare(Path(made), servers, port, cluster.accounts.check.password_file)
                for number in range(options.cycles):
                    cycle = run_cycle(node, settings, servers)
                    show(servers, number + 1, cycle)
                    time.sleep(max(0.0, DELAY_LOOP_SECONDS - cycle.longest_seconds))


def prepare(directory: Path, servers: int, port: int, password_file: Path) -> dict[str, str]:
    """Write a configuration and the state of an agent that drained a server; return the settings.

    The settings are those of the script.
    """
    run, state = directory / "run", directory / "state"
    run.mkdir()
    state.mkdir()
    config = directory / "ldaphealth.yaml"
    config.write_text(
        json.dumps(
            {
                "agent": {"runtime_directory": str(run), "state_directory": str(state)},
                "credentials": {"probe": {"dn": CHECK_DN, "password_file": str(password_file)}},
                "clusters": {
                    "c": {
                        "suffix": SUFFIX,
                        "credentials": "probe",
                        "servers": {
                            f"ldap{n}": f"ldap://127.0.{1 + n // 200}.{1 + n % 200}:{port}"
                            for n in range(servers)
                        },
                        "checks": {"search": {"base": PEOPLE, "scope": "one"}},
                    }
                },
            }
        )
    )
    until = boot_seconds() + 3600
    save_state(
        state_path(state), {"c": Memory({}, {DRAINED: Override("drain", until)})}, boot_seconds()
    )
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        "LDAPHEALTH": str(PROGRAM),
        "LDAPHEALTH_CONFIG": str(config),
        "LDAPHEALTH_VERDICTS": str(run / "verdicts"),
        "LDAPHEALTH_OVERRIDES": str(state / "overrides"),
    }


def run_cycle(node: Node, settings: Mapping[str, str], servers: int) -> Cycle:
    """Start the scripts of all servers at once, as keepalived does, and wait for all of them."""
    before, cpu_before, began = connections(node), _children_cpu(), time.monotonic()
    scripts = {f"c/ldap{n}": start(settings, f"c/ldap{n}") for n in range(servers)}
    statuses = {server: script.wait(60) for server, script in scripts.items()}
    return Cycle(
        statuses=statuses,
        longest_seconds=time.monotonic() - began,
        cpu_seconds=_children_cpu() - cpu_before,
        connections=connections(node) - before - 1,
    )


def start(settings: Mapping[str, str], server: str) -> subprocess.Popen[bytes]:
    """Start the script of one server."""
    return subprocess.Popen(
        ["/bin/sh", SCRIPT, "--dynamic", server],
        env=dict(settings),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        umask=0o177,
        process_group=0,
    )


def connections(node: Node) -> int:
    """Return how many connections the slapd has accepted since its start."""
    (counter,) = node.root.read("cn=Total,cn=Connections,cn=Monitor", "monitorCounter")
    return int(counter)


def show(servers: int, number: int, cycle: Cycle) -> None:
    """Print one cycle; every server should have the status 102, the drained one 2."""
    print(
        f"{servers:7} {number:5} {cycle.connections:11} {cycle.cpu_seconds:5.1f} s "
        f"{cycle.longest_seconds:6.1f} s   {_counted(list(cycle.statuses.values()))}, "
        f"drained: {cycle.statuses[DRAINED]}",
        flush=True,
    )


def _counted(statuses: Sequence[int]) -> str:
    return ", ".join(f"{count} x {status}" for status, count in Counter(statuses).most_common())


def _children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
