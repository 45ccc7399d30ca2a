"""A consumer whose `role` was left at `provider`: the setting is wrong, and not the server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from demo.cluster import Cluster
from demo.node import DATABASE
from ldaphealth.model import Role, State, Trust
from ldaphealth.tasks.one_shot import evaluate
from tests.slapd.watched import make_canaries, watched

pytestmark = pytest.mark.slapd


@pytest.fixture(scope="module")
def running() -> Iterator[Cluster]:
    """Return two providers and a consumer of the first one."""
    with Cluster(size=3, consumers={3: 1}) as cluster:
        make_canaries(cluster, "lb1")
        yield cluster


@pytest.mark.parametrize("refers", [True, False], ids=["with updateref", "without updateref"])
def test_a_copy_at_the_default_role_stays_in_service(running: Cluster, refers: bool) -> None:
    provider, _, consumer = running.nodes
    if refers:
        consumer.root.modify(DATABASE, f"replace: olcUpdateRef\nolcUpdateRef: {provider.uri}")
    else:
        consumer.root.modify(DATABASE, "replace: olcUpdateRef")
    configured = watched(running, checks=("connect", "bind", "write", "unbind"))
    servers = tuple(replace(each, role=Role.PROVIDER) for each in configured.servers)

    verdicts = evaluate([replace(configured, servers=servers)]).verdicts

    found = {
        each.server: finding
        for each in verdicts
        for finding in each.findings
        if finding.check == "write"
    }
    assert [each.in_service for each in verdicts] == [True] * 3
    copy = found.pop("c/ldap3")
    assert (copy.code, copy.state, copy.trust) == ("referral", State.WARNING, Trust.INFORMATIVE)
    assert "set `role: consumer`" in copy.summary
    assert {each.state for each in found.values()} == {State.OK}
