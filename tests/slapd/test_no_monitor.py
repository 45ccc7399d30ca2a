"""A server without a monitor database, or whose monitor is hidden, is as healthy as another."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from demo import tree
from demo.cluster import Cluster
from demo.programs import slapd_for
from demo.slapd import Slapd
from demo.tree import SUFFIX
from ldaphealth.config import load
from ldaphealth.model import Finding, State, Trust
from ldaphealth.tasks.one_shot import evaluate
from tests.slapd.watched import watched

pytestmark = pytest.mark.slapd

CHECKS = ("connect", "bind", "consumer", "entry_count", "resources", "monitor", "unbind")
MONITOR = "olcDatabase={2}monitor,cn=config"


def findings(cluster: Cluster) -> dict[str, Finding]:
    verdict = evaluate([watched(cluster, checks=CHECKS)]).verdicts[0]
    assert verdict.in_service
    return {each.check: each for each in verdict.findings}


def test_a_monitor_that_the_account_may_not_see_is_unknown(cluster: Cluster) -> None:
    node = cluster.nodes[0]
    before = node.root.read(MONITOR, "olcAccess")
    node.root.modify(MONITOR, "replace: olcAccess\nolcAccess: to * by * none")
    try:
        found = findings(cluster)
    finally:
        rules = "\n".join(f"olcAccess: {each}" for each in before)
        node.root.modify(MONITOR, f"replace: olcAccess\n{rules}")

    for check in ("consumer", "entry_count", "resources", "monitor"):
        assert (found[check].code, found[check].state) == ("no_access", State.UNKNOWN), check
        assert found[check].trust is Trust.LOCAL
        assert "`ldaphealth setup --part rules`" in found[check].summary


def test_a_monitor_that_can_be_read_is_read(cluster: Cluster) -> None:
    found = findings(cluster)

    assert {each.state for each in found.values()} == {State.OK}


PLAIN = """\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
loglevel 0
database mdb
suffix {suffix}
directory {database}
access to * by * read
"""
CONFIG = """\
clusters:
  c:
    suffix: {suffix}
    servers: {{a: "{a}", b: "{b}"}}
"""


@pytest.fixture
def plain(cluster: Cluster) -> Iterator[list[Slapd]]:
    """Return two servers without a monitor database and without replication."""
    running: list[Slapd] = []
    for name in ("plain1", "plain2"):
        slapd = Slapd(slapd_for(cluster.directory), cluster.directory / name, ())
        slapd.load(PLAIN.format(database=slapd.database, suffix=SUFFIX), "")
        entries = tree.ldif(datetime.now(UTC))
        slapd.tool("add", "-q", "-b", SUFFIX, ldif=entries)
        slapd.start()
        running.append(slapd)
    yield running
    for each in running:
        each.kill()


def test_the_default_findings_without_monitor_and_replication_are_ok(
    plain: list[Slapd], tmp_path: Path
) -> None:
    a, b = (each.ldapi_uri for each in plain)
    file = tmp_path / "ldaphealth.yaml"
    file.write_text(CONFIG.format(suffix=SUFFIX, a=a, b=b))

    verdicts = evaluate([load(file).clusters["c"]]).verdicts

    found = {each.reason: each.state for verdict in verdicts for each in verdict.findings}
    assert set(found.values()) == {State.OK}
    assert {"replication.not_applicable", "monitor.not_applicable"} <= found.keys()
