"""Whole-process CPU of keepalived's script with a running agent, against check_ldap.

`make bench` runs it. The verdict file is like that of an agent; no agent runs meanwhile.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from bench.cpu import CHECK_LDAP, process_seconds, table
from demo.cluster import Cluster
from ldaphealth.clocks import boot_seconds
from ldaphealth.model import State, Verdict
from ldaphealth.publishers.publication import Publication
from ldaphealth.publishers.verdict_file import VerdictFiles

PAIRS = 200
SCRIPT = Path(__file__).parents[1] / "keepalived" / "ldaphealth-check"


def main() -> None:
    verdict = Verdict(server="c/s", state=State.OK, in_service=True, weight=98)
    with tempfile.TemporaryDirectory() as directory, Cluster(1) as cluster:
        due = {"c/s": boot_seconds() + 3600}
        VerdictFiles(Path(directory)).publish(
            Publication(cluster="c", verdicts={"c/s": verdict}, due=due, changes=(), seen=())
        )
        os.environ["LDAPHEALTH_VERDICTS"] = directory
        host, _, port = cluster.nodes[0].uri.removeprefix("ldap://").rpartition(":")
        commands = {
            "ldaphealth-check, agent running": ["/bin/sh", str(SCRIPT), "c/s"],
            "/bin/sh -c :": ["/bin/sh", "-c", ":"],
            "check_ldap": [CHECK_LDAP, "-H", host, "-p", port, "-b", "", "-3"],
        }
        status = subprocess.run(
            ["/bin/sh", str(SCRIPT), "--dynamic", "c/s"], check=False
        ).returncode
        assert status == verdict.weight + 2, "the script does not read this verdict"
        measured: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(PAIRS):
            for name, command in commands.items():
                measured[name].append(process_seconds(command))
    table(measured, "check_ldap")


if __name__ == "__main__":
    main()
