"""The access rules in docs/configuration.md are enough for everything, and for no more."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.client import LdapError
from demo.cluster import Cluster
from demo.node import DATABASE
from demo.tree import CANARIES, CHECK_DN, PEOPLE, SUFFIX, person
from tests.slapd.running_agent import PROGRAM

pytestmark = pytest.mark.slapd

PAGE = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text()
RULES = re.findall(r"^access (to .*)$", PAGE, re.MULTILINE)
LIMITS = re.findall(r"^limits (.*)$", PAGE, re.MULTILINE)
# As strict as the administrator's own rules can be: nobody sees anything.
OWN = ["to attrs=userPassword by anonymous auth by * none", "to * by * none"]
CONFIG = """\
credentials: {{probe: {{dn: "{dn}", password_file: {password_file}}}}}
clusters:
  c:
    suffix: {suffix}
    credentials: probe
    servers: {{{servers}}}
    checks:
      search: {{base: "{people}", scope: one, entries: {{critical: "10:"}}}}
      write: {{container: "{canaries}", agent: rights}}
"""


@pytest.fixture
def strict(cluster: Cluster) -> Iterator[Cluster]:
    """Give every node the documented rules, and those that forbid everything after them."""
    before = [
        (node, name, node.root.read(DATABASE, name))
        for node in cluster.nodes
        for name in ("olcAccess", "olcLimits")
    ]
    for node in cluster.nodes:
        node._configure("olcAccess", [f"{{{n}}}{rule}" for n, rule in enumerate([*RULES, *OWN])])
        node._configure("olcLimits", [f"{{{n}}}{limit}" for n, limit in enumerate(LIMITS)])
    yield cluster
    for node in cluster.nodes:
        if cluster.nodes[0].root.search(CANARIES, f"(cn=rights c/{node.name})", "cn"):
            cluster.nodes[0].root.delete(f"cn=rights c/{node.name},{CANARIES}")
    for node, name, values in before:
        node._configure(name, values)


@pytest.fixture
def config(strict: Cluster, tmp_path: Path) -> Path:
    path = tmp_path / "ldaphealth.yaml"
    servers = ", ".join(f"{node.name}: '{node.uri}'" for node in strict.nodes)
    password_file = strict.accounts.check.password_file
    path.write_text(
        CONFIG.format(
            dn=CHECK_DN,
            password_file=password_file,
            suffix=SUFFIX,
            servers=servers,
            people=PEOPLE,
            canaries=CANARIES,
        )
    )
    return path


def run(config: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, *arguments, "--config", config],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_every_command_and_check_works_with_them(strict: Cluster, config: Path) -> None:
    applied = run(config, "canary", "apply", "c")
    strict.wait_until_level()
    verdicts = json.loads(run(config, "check", "--format", "json").stdout)["verdicts"]
    compared = run(config, "content", "diff", "c")
    matrix = json.loads(run(config, "csn", "watch", "c", "--count", "1", "--format", "json").stdout)

    assert applied.returncode == 0, applied.stdout
    assert [verdict["reasons"] for verdict in verdicts] == [[]] * len(strict.nodes)
    assert compared.returncode == 0, compared.stdout
    assert [each["trouble"] for each in matrix["servers"]] == [""] * len(strict.nodes)


def test_they_allow_no_more(strict: Cluster) -> None:
    node = strict.nodes[0]

    assert node.check.read(CHECK_DN, "cn") == ("ldaphealth",)
    assert node.check.read(CHECK_DN, "userPassword") == ()
    with pytest.raises(LdapError, match=r"\(50\)"):  # insufficientAccessRights
        node.check.modify(person(1), "replace: description\ndescription: x")
    with pytest.raises(LdapError, match=r"\(50\)"):
        node.check.add(f"ou=more,{SUFFIX}", "objectClass: organizationalUnit\nou: more")
