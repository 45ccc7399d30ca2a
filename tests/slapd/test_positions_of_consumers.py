"""What consumers write by themselves is no lag, and one that has no contextCSN is behind.

slapd.conf(5) lastbind: slapd records logins.
Every bind at such a consumer moves its contextCSN, under its own server ID.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from demo.cluster import Cluster
from demo.node import DATABASE, Node
from demo.tree import SUFFIX
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


def receive_nothing(cut: Node) -> None:
    """Leave entries without contextCSN, as a first refresh that was cut off.

    With syncprov slapd makes a contextCSN of its own when it starts.
    """
    cut.cut_replication()
    cut.stop()
    (overlay,) = cut.config.glob("cn=config/olcDatabase=*mdb/olcOverlay=*syncprov.ldif")
    overlay.unlink()
    entries = cut.tool("cat", "-b", SUFFIX)
    for file in cut.database.iterdir():
        file.unlink()
    lines = (line for line in entries.splitlines() if not line.startswith("contextCSN:"))
    cut.tool("add", "-b", SUFFIX, ldif="\n".join([*lines, ""]))
    cut.start()
    assert cut.context_csn() == ()


def test_a_consumer_that_has_received_nothing_is_behind() -> None:
    with Cluster(size=3, consumers={2: 1, 3: 1}) as cluster:
        receive_nothing(cluster.nodes[2])

        assert out(evaluated(cluster)) == {"c/ldap3": ["replication.behind"]}
