"""A server without a monitor database, or whose monitor is hidden, is as healthy as another."""

from __future__ import annotations

import pytest

from demo.cluster import Cluster
from ldaphealth.model import Finding, State, Trust
from ldaphealth.tasks.one_shot import evaluate
from tests.slapd.watched import watched

pytestmark = pytest.mark.slapd

CHECKS = ("connect", "bind", "consumer", "resources", "monitor", "unbind")
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

    for check in ("consumer", "resources", "monitor"):
        assert (found[check].code, found[check].state) == ("no_access", State.UNKNOWN), check
        assert found[check].trust is Trust.LOCAL
        assert 'olcAccess: to dn.subtree="cn=Monitor" by dn.exact=' in found[check].summary


def test_a_monitor_that_can_be_read_is_read(cluster: Cluster) -> None:
    found = findings(cluster)

    assert {each.state for each in found.values()} == {State.OK}
