"""Whole-process CPU of the short commands, against `import ldap3`, check_ldap and another checkout.

`make bench` runs it. `python -m bench.one_shot OTHER/.venv/bin/python` runs each command of the
other checkout in turn with that of this checkout, and prints both. Imports inside functions are
justified by these times.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from bench.cpu import CHECK_LDAP, compared, process_seconds, table
from demo.cluster import Cluster
from tests.slapd.running_agent import RunningAgent

PAIRS = 20
AGENT_INTERVAL_SECONDS = 30.0  # it must not run rounds while the others are measured
CONFIG = "clusters:\n  c:\n    suffix: {suffix}\n    servers: {{s: '{uri}'}}\n    checks: {off}\n"
OTHER = ", the other checkout"
HELP_STATUS = 3  # of the plugin's --help, according to the guidelines


def main() -> None:
    others = [Path(each).absolute() for each in sys.argv[1:]]
    with Cluster(size=1) as cluster, tempfile.TemporaryDirectory() as directory:
        uri = cluster.nodes[0].uri
        agent = RunningAgent(cluster, Path(directory), AGENT_INTERVAL_SECONDS)
        config = cluster.directory / "ldaphealth.yaml"
        # All read the root DSE, which anonymous sessions are allowed to read.
        off = "{replication: off, monitor: off, search: {base: '', filter: '(objectClass=*)'}}"
        config.write_text(CONFIG.format(suffix="''", uri=uri, off=off))
        socket = Path(directory) / "run" / "agent.sock"
        peers = {
            "import ldap3": [sys.executable, "-c", "import ldap3"],
            "check_ldap": [CHECK_LDAP, *host_options(uri), "-3"],
        }
        with agent:
            own = commands(Path(sys.executable), uri, config, socket)
            measured = measure({**peers, **own})
            table(measured, "import ldap3")
            table(measured, "check_ldap")
            for other in others:
                compare(own, commands(other, uri, config, socket))


def host_options(uri: str) -> list[str]:
    """Return the options for one server that check_ldap and check_ldaphealth share."""
    return ["-H", "127.0.0.1", "-p", uri.rpartition(":")[2], "-b", ""]


def commands(python: Path, uri: str, config: Path, socket: Path) -> dict[str, list[str]]:
    """Return the short commands of the checkout to which this Python belongs."""
    program, plugin = (str(python.with_name(name)) for name in ("ldaphealth", "check_ldaphealth"))
    for_keepalived = ["--format", "keepalived"]
    return {
        "--help": [program, "--help"],
        "check URL": [program, "check", uri, *for_keepalived],
        "check with a configuration": [
            *(program, "check", "--config", str(config), "c/s"),
            *for_keepalived,
        ],
        "status": [program, "status", "--socket", str(socket)],
        "check_ldaphealth --help": [plugin, "--help"],
        "check_ldaphealth -H": [plugin, *host_options(uri)],
    }


def measure(named: Mapping[str, list[str]]) -> dict[str, list[float]]:
    """Return the CPU seconds of each command, run one after another in turn."""
    found: dict[str, list[float]] = {name: [] for name in named}
    for number in range(PAIRS + 1):
        for name, command in named.items():
            status = HELP_STATUS if name.startswith("check_ldaphealth --help") else 0
            seconds = process_seconds(command, status)
            if number:  # the first run writes the bytecode
                found[name].append(seconds)
    return found


def compare(own: Mapping[str, list[str]], other: Mapping[str, list[str]]) -> None:
    """Print each command of this checkout beside the same one of the other, from pairs of runs."""
    sides = (("", own), (OTHER, other))
    pairs = {name + side: checkout[name] for name in own for side, checkout in sides}
    measured = measure(pairs)
    compared(
        {name: measured[name] for name in own},
        {name: measured[name + OTHER] for name in own},
    )


if __name__ == "__main__":
    main()
