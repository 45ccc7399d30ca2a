"""Whole-process CPU of a one-shot check of one server, against `import ldap3` and check_ldap.

`make bench` runs it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from bench.cpu import CHECK_LDAP, process_seconds, table
from demo.cluster import Cluster

PAIRS = 20
CONFIG = "clusters:\n  c:\n    suffix: {suffix}\n    servers: {{s: '{uri}'}}\n    checks: {off}\n"


def main() -> None:
    with Cluster(size=1) as cluster:
        node = cluster.nodes[0]
        config = cluster.directory / "ldaphealth.yaml"
        # All three read the root DSE, which an anonymous session may.
        off = "{replication: off, monitor: off, search: {base: '', filter: '(objectClass=*)'}}"
        config.write_text(CONFIG.format(suffix="''", uri=node.uri, off=off))
        program = [str(Path(sys.executable).with_name("ldaphealth")), "check"]
        told = ["--format", "keepalived"]
        port = node.uri.rpartition(":")[2]
        commands = {
            "import ldap3": [sys.executable, "-c", "import ldap3"],
            "check URL": [*program, node.uri, *told],
            "check with a configuration": [*program, "--config", str(config), "c/s", *told],
            "check_ldap": [CHECK_LDAP, "-H", "127.0.0.1", "-p", port, "-b", "", "-3"],
        }
        for command in commands.values():
            process_seconds(command)  # the first run writes the bytecode
        measured: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(PAIRS):
            for name, command in commands.items():
                measured[name].append(process_seconds(command))
    table(measured, "import ldap3")
    table(measured, "check_ldap")


if __name__ == "__main__":
    main()
