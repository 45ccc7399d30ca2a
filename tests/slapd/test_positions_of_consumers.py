"""What consumers write by themselves is no lag: logins that slapd records (slapd.conf(5) lastbind).

Every bind at such a consumer moves its contextCSN, under its own server ID.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from demo.cluster import Cluster
from demo.node import DATABASE
from ldaphealth.model import Snapshot, State
from ldaphealth.tasks.one_shot import evaluate
from tests.slapd.watched import out, watched

pytestmark = pytest.mark.slapd

CHECKS = ("connect", "bind", "replication", "unbind")


@pytest.fixture(scope="module", params=[(1, 2, 3, 4), (1, 0, 0, 0)], ids=["own IDs", "000"])
def recording(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """Return a provider and three consumers that record logins; their server IDs are given."""
    server_ids: Sequence[int] = request.param
    with Cluster(server_ids=tuple(server_ids), consumers={2: 1, 3: 1, 4: 1}) as cluster:
        for node in cluster.consumer_nodes:
            node.root.modify(DATABASE, "replace: olcLastBind\nolcLastBind: TRUE")
        yield cluster


def evaluated(cluster: Cluster) -> Snapshot:
    return evaluate([watched(cluster, checks=CHECKS)])


def test_logins_at_consumers_remove_no_server(recording: Cluster) -> None:
    provider, one, *_ = recording.nodes
    provider.write()
    evaluated(recording)  # its binds are recorded
    assert one.context_csn() != provider.context_csn()

    snapshot = evaluated(recording)

    assert out(snapshot) == {}
    assert {verdict.state for verdict in snapshot.verdicts} == {State.OK}


def test_a_consumer_that_records_logins_is_still_found_behind(recording: Cluster) -> None:
    provider, _, _, cut = recording.nodes
    cut.cut_replication()
    provider.write()

    assert out(evaluated(recording)) == {"c/ldap4": ["replication.behind"]}
    cut.heal()
