"""The access rules in docs/configuration.md are enough for the first configuration, and no more.

They are those that `ldaphealth setup` prints for the configuration of the README.
"""

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
from demo.tree import CANARIES, CHECK_DN, PEOPLE, PEOPLE_COUNT, SUFFIX, person
from tests.slapd.running_agent import PROGRAM

pytestmark = pytest.mark.slapd

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "configuration.md").read_text()
RULES = re.findall(r"^access (to .*)$", PAGE, re.MULTILINE)
README = re.search(r"```yaml\n(credentials:.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
# As strict as the administrator's own rules can be: nobody sees anything.
OWN = ["to * by * none"]
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
        node._configure("olcLimits", [])
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


def test_they_are_those_that_setup_prints(tmp_path: Path) -> None:
    assert README is not None
    config = tmp_path / "ldaphealth.yaml"
    config.write_text(README[1])
    (document,) = json.loads(run(config, "setup", "--for", "slapd.conf", "--format", "json").stdout)
    (data,) = (each["lines"] for each in document["rules"] if each["context"] == SUFFIX)

    assert [f"access {rule}" for rule in RULES] == data


def test_the_first_configuration_works_with_them(strict: Cluster, config: Path) -> None:
    root = strict.nodes[0].root.credentials
    assert root is not None
    administrator = ("--bind-dn", root.dn, "--password-file", str(root.password_file))
    applied = run(config, "canary", "apply", "c", *administrator)
    strict.wait_until_level()
    verdicts = json.loads(run(config, "check", "--format", "json").stdout)["verdicts"]
    matrix = json.loads(run(config, "csn", "watch", "c", "--count", "1", "--format", "json").stdout)

    assert applied.returncode == 0, applied.stdout
    assert [verdict["reasons"] for verdict in verdicts] == [[]] * len(strict.nodes)
    assert [each["trouble"] for each in matrix["servers"]] == [""] * len(strict.nodes)


def test_they_allow_no_more(strict: Cluster) -> None:
    node = strict.nodes[0]

    assert node.check.read(SUFFIX, "contextCSN")
    assert node.check.read(SUFFIX, "o") == ()
    assert [{*each} for each in node.check.search(PEOPLE, "(objectClass=*)", "*", scope="one")] == [
        {"dn"}
    ] * PEOPLE_COUNT
    with pytest.raises(LdapError, match=r"\(32\)"):  # noSuchObject: it is not disclosed
        node.check.read(CHECK_DN, "userPassword")
    with pytest.raises(LdapError, match=r"\(50\)"):  # insufficientAccessRights
        node.check.modify(person(1), "replace: description\ndescription: x")
    with pytest.raises(LdapError, match=r"\(50\)"):
        node.check.add(f"ou=more,{SUFFIX}", "objectClass: organizationalUnit\nou: more")
