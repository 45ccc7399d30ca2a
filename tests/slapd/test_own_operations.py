"""The ratios of cn=Monitor leave out what the check itself did, to the operation."""

from __future__ import annotations

import pytest

from demo.cluster import Cluster
from ldaphealth.checks.monitor import OPERATIONS, _done
from ldaphealth.ldap.deadline import Deadline
from ldaphealth.rounds.probe import probe_server
from tests.slapd.watched import CHECKS, make_canaries, watched

pytestmark = pytest.mark.slapd

ORDER = [name for name in CHECKS if name not in ("monitor", "unbind")] + ["monitor", "unbind"]


def test_the_agents_own_rounds_count_for_nothing(cluster: Cluster) -> None:
    make_canaries(cluster, "lb1")
    asked = watched(cluster, checks=ORDER)

    seen = [
        each
        for _ in range(5)
        for each in probe_server(asked.servers[0], asked.checks, Deadline.after(5.0))
        if each.check == "monitor"
    ]
    reads = [each.facts for each in seen if each.facts]

    assert len(reads) == 5
    assert {name: _done(reads, name) for name in OPERATIONS} == dict.fromkeys(OPERATIONS, 0)


def test_what_others_do_is_counted(cluster: Cluster) -> None:
    make_canaries(cluster, "lb1")
    asked = watched(cluster, checks=ORDER)
    first = probe_server(asked.servers[0], asked.checks, Deadline.after(5.0))
    cluster.nodes[0].write(7)
    second = probe_server(asked.servers[0], asked.checks, Deadline.after(5.0))

    reads = [each.facts for each in [*first, *second] if each.check == "monitor" and each.facts]
    assert _done(reads, "modify") == 7
