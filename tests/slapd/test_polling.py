"""A consumer that polls (refreshOnly) lacks what was written since its last poll, by design."""

from __future__ import annotations

from collections.abc import Iterator
from time import sleep

import pytest
from msgspec.structs import replace

from demo.cluster import Cluster
from demo.node import DATABASE
from demo.writes import steady_writes
from ldaphealth.settings import Cluster as Configured
from ldaphealth.tasks.one_shot import evaluate
from tests.slapd.watched import out, watched

pytestmark = pytest.mark.slapd


@pytest.fixture
def polling() -> Iterator[Cluster]:
    """Return two providers, and a consumer that polls one of them every five seconds."""
    with Cluster(size=3, consumers={3: 1}) as cluster:
        node = cluster.nodes[2]
        line = node.links[0].directive()
        line = line.replace("refreshAndPersist", "refreshOnly interval=00:00:00:05")
        node.root.modify(DATABASE, f"replace: olcSyncrepl\nolcSyncrepl: {line}")
        yield cluster


def configured(cluster: Cluster, poll_interval_seconds: float) -> Configured:
    found = watched(cluster, checks=("connect", "bind", "replication", "unbind"))
    *providers, consumer = found.servers
    polls = replace(consumer, poll_interval_seconds=poll_interval_seconds)
    return replace(found, servers=(*providers, polls))


def test_a_poll_interval_that_is_set_is_no_lag(polling: Cluster) -> None:
    unknown, known = configured(polling, 0), configured(polling, 5)
    with steady_writes(polling.nodes[1], pause_seconds=0.2):
        sleep(1.0)
        removed = [(out(evaluate([unknown])), out(evaluate([known]))) for _ in range(3)]

    assert {"c/ldap3": ["replication.behind"]} in [without for without, _ in removed]
    assert [having for _, having in removed] == [{}] * 3
