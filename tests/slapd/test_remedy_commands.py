"""The commands that are suggested work as they stand, beside real slapd."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.cluster import Cluster
from ldaphealth.config import load
from ldaphealth.reason_codes import ROWS
from ldaphealth.remedies import values_of
from ldaphealth.text.command_template import with_values
from tests.slapd.running_agent import PROGRAM

SEARCHES = re.compile(r"`((?:for uri in |LDAP\S+ |ldap(?:search|whoami) )[^`]+)`")
PATH = f"{PROGRAM.parent}:{os.environ['PATH']}"


def commands(config: Path, code: str, check: str) -> Iterator[str]:
    """Yield the commands of ldap-utils of a remedy that need no administrator."""
    cluster = load(config).clusters["c"]
    values = values_of(cluster, cluster.servers[1], check)
    for command in SEARCHES.findall(with_values(ROWS[code].template, values)):
        if "ADMIN_DN" not in command and "ldaphealth " not in command:
            yield command


def run(command: str) -> str:
    done = subprocess.run(
        ["/bin/sh", "-ec", command],
        env=os.environ | {"PATH": PATH, "LDAPNOINIT": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("code", "check", "shown"),
    [
        ("behind", "replication", {"olmSRConnection: ": 3, "dn: cn=Consumer ": 3}),
        ("isolated", "replication", {"dn: cn=Consumer ": 9}),
        ("split", "replication", {"dn: cn=Consumer ": 12}),
        ("bad_csn", "replication", {"contextCSN: ": 16}),
        ("no_csn", "replication", {"contextCSN: ": 4}),
        ("invalidCredentials", "bind", {"dn:cn=": 1}),
    ],
)
def test_the_command_shows_what_the_sentence_says(
    cluster: Cluster, config: Path, code: str, check: str, shown: dict[str, int]
) -> None:
    for node in cluster.nodes:
        node.write()
    cluster.wait_until_level()

    (command, *_) = commands(config, code, check)
    output = run(command)

    assert {each: output.count(each) for each in shown} == shown


def test_a_configuration_beside_the_usual_one_is_found(config: Path) -> None:
    cluster = load(config).clusters["c"]
    template = "{ldaphealth:config check}"

    run(with_values(template, values_of(cluster, cluster.servers[0], "bind")))
