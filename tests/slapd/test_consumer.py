"""What real slapd says of its links when nothing is wrong, one is cut, a provider is gone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import monotonic, sleep

import pytest

from demo.cluster import Cluster
from demo.node import DATABASE, Node
from ldaphealth.checks.consumer import CHECK, Params
from ldaphealth.judging.judge import judge_server
from ldaphealth.judging.recent_observations import RecentObservations
from ldaphealth.judging.thresholds import Range, Thresholds
from ldaphealth.ldap.deadline import Deadline
from ldaphealth.model import Finding, State
from ldaphealth.rounds.probe import probe_server
from ldaphealth.settings import ConfiguredCheck
from tests.slapd.breaking_proxy import BreakingProxy
from tests.slapd.watched import watched

pytestmark = pytest.mark.slapd

SECONDS = 2.5
WITHIN = 15.0  # so long may it take until it is told
# The real thresholds are minutes.
PARAMS = Params(Thresholds(warning=Range(end=SECONDS)), Thresholds(warning=Range(end=SECONDS)))

Told = list[tuple[str, State, str]]


class Watcher:
    """Looks at one node as the agent does, and remembers."""

    def __init__(self, cluster: Cluster, node: Node, params: Params = PARAMS) -> None:
        asked = watched(cluster, checks=("connect", "bind", "unbind"), nodes=(node,))
        self.cluster = asked
        self.checks = (
            *asked.checks[:2],
            ConfiguredCheck(CHECK, params, CHECK.effect),
            asked.checks[2],
        )
        self.recent = RecentObservations()

    def probe(self, *, one_shot: bool = False) -> list[Finding]:
        """Look once more and judge all that was seen."""
        server = self.cluster.servers[0]
        for seen in probe_server(server, self.checks, Deadline.after(4.0)):
            self.recent.add(seen)
        view = self.recent.view(server, CHECK.name, one_shot=one_shot)
        assert view.latest.failure is None
        return [*CHECK.judge(view, self.checks[2].params)]

    def until(self, says_so: Callable[[Told], bool]) -> Told:
        """Look twice a second until it tells that, and return what it told."""
        end = monotonic() + WITHIN
        while not says_so(told := wrong(self.probe())):
            assert monotonic() < end, told
            sleep(0.5)
        return told


def wrong(findings: list[Finding]) -> Told:
    """Return what is not OK: the code, the state and the link."""
    return [
        (found.code, found.state, found.metrics[0].label if found.metrics else found.summary)
        for found in findings
        if found.state is not State.OK
    ]


@pytest.fixture
def watcher(cluster: Cluster) -> Watcher:
    return Watcher(cluster, cluster.nodes[0])


def test_healthy_links_are_well_while_others_write(cluster: Cluster, watcher: Watcher) -> None:
    for _ in range(8):
        cluster.nodes[1].write(3)
        findings = watcher.probe()
        assert [(found.code, found.summary) for found in findings] == [
            ("ok", "3 of 3 replication links connected")
        ]
        sleep(0.5)

    labels = {metric.label for found in findings for metric in found.metrics}
    assert labels == {node.uri for node in cluster.nodes[1:]}
    assert wrong(Watcher(cluster, cluster.nodes[0]).probe(one_shot=True)) == []


def test_a_killed_provider_is_told_of_all_who_receive_from_it(cluster: Cluster) -> None:
    killed = cluster.nodes[1]
    watchers = [Watcher(cluster, node) for node in cluster.nodes if node is not killed]
    for each in watchers:
        each.probe()
    killed.kill()

    for each in watchers:
        expected = [("not_connected", State.WARNING, killed.uri)]
        assert each.until(bool) == expected

    killed.start()
    for each in watchers:
        each.until(lambda told: not told)


def test_a_cut_link_is_told_by_the_server_that_lost_it_alone(cluster: Cluster) -> None:
    cut, other = Watcher(cluster, cluster.nodes[0]), Watcher(cluster, cluster.nodes[2])
    cluster.nodes[0].cut_replication(cluster.nodes[3])

    told = cut.until(bool)

    assert told == [("not_connected", State.WARNING, cluster.nodes[0].links[-1].nowhere)]
    assert wrong(other.probe()) == []
    one_read = Watcher(cluster, cluster.nodes[0]).probe(one_shot=True)
    assert [found.code for found in one_read] == ["not_connected", "ok"]
    assert one_read[1].summary == "2 of 2 other replication links connected"


@pytest.fixture
def change_link(cluster: Cluster) -> Iterator[Callable[[str, str], None]]:
    """Return what replaces text in the first link of the first node."""
    node = cluster.nodes[0]

    def set_links(old: str, new: str) -> None:
        first, *others = [link.directive() for link in node.links]
        lines = [first.replace(old, new), *others]
        values = "".join(f"olcSyncrepl: {line}\n" for line in lines)
        node.root.modify(DATABASE, f"replace: olcSyncrepl\n{values}")

    yield set_links
    set_links("", "")
    cluster.wait_until_linked()


def test_a_link_that_polls_is_well(
    cluster: Cluster, watcher: Watcher, change_link: Callable[[str, str], None]
) -> None:
    change_link("type=refreshAndPersist", "type=refreshOnly interval=00:00:00:02")

    for _ in range(12):
        cluster.nodes[1].write()
        assert wrong(watcher.probe()) == []
        sleep(0.5)


def test_a_refused_password_is_a_link_without_connection(
    cluster: Cluster, watcher: Watcher, change_link: Callable[[str, str], None]
) -> None:
    change_link(cluster.nodes[0].links[0].password, "wrong")

    assert watcher.until(bool) == [("not_connected", State.WARNING, cluster.nodes[1].uri)]


def test_a_link_that_slapd_gives_up_is_told_as_that(
    cluster: Cluster, watcher: Watcher, change_link: Callable[[str, str], None]
) -> None:
    provider = cluster.nodes[1]
    provider.kill()
    watcher.until(bool)
    change_link('retry="1 +"', 'retry="1 2"')

    told = watcher.until(lambda told: [code for code, _, _ in told] == ["given_up"])

    assert told == [("given_up", State.WARNING, provider.uri)]
    (found, _) = Watcher(cluster, cluster.nodes[0]).probe(one_shot=True)
    assert "until slapd is restarted" in found.summary
    provider.start()


def test_a_restarted_server_has_its_links_at_once(cluster: Cluster, watcher: Watcher) -> None:
    watcher.probe()
    cluster.nodes[0].stop()
    cluster.nodes[0].start()
    cluster.wait_until_linked()

    assert wrong(watcher.probe()) == []
    server = watcher.cluster.servers[0]
    asked = type(watcher.cluster)(
        name="c", servers=(server,), checks=watcher.checks, min_in_service=0
    )
    assert {
        found.state for found in judge_server(asked, server, watcher.recent, one_shot=False)
    } == {State.OK}


def test_a_link_that_breaks_again_and_again_is_a_refresh_loop() -> None:
    quick = Params(reconnects=Thresholds(Range(end=2), Range(end=20)))
    with (
        Cluster(size=2, consumers={2: 1}) as cluster,
        BreakingProxy(cluster.nodes[0].uri, lasts_seconds=0.3) as proxy,
    ):
        receiver = cluster.nodes[1]
        watcher = Watcher(cluster, receiver, quick)
        line = receiver.links[0].directive().replace(cluster.nodes[0].uri, proxy.front)
        receiver.root.modify(DATABASE, f"replace: olcSyncrepl\nolcSyncrepl: {line}")

        told = watcher.until(lambda told: any(code == "refresh_loop" for code, _, _ in told))

        assert ("refresh_loop", State.WARNING, proxy.front) in told
