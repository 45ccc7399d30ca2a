"""What the agent says of replication while real servers fall behind, split, and catch up."""

from __future__ import annotations

from functools import partial
from time import monotonic, sleep

import pytest

from demo import wait
from demo.cluster import Cluster
from demo.node import Node
from demo.tree import CANARIES
from demo.writes import steady_writes
from ldaphealth.checks.canary import canary_dn
from ldaphealth.checks.replication import Params
from ldaphealth.csn.server_id import ServerId
from ldaphealth.judging.thresholds import at_most
from ldaphealth.model import State
from tests.slapd.recorded import Recorded
from tests.slapd.watched import make_canaries

pytestmark = pytest.mark.slapd

WARNING_SECONDS, CRITICAL_SECONDS = 1.0, 2.0
QUICK = {"replication": Params(behind=at_most(WARNING_SECONDS, CRITICAL_SECONDS))}
INTERVAL_SECONDS = 0.2
SLACK_SECONDS = 1.0  # a busy machine
DAY_SECONDS = 86_400.0


def holds_the_same(node: Node, other: Node) -> bool:
    return node.context_csn() == other.context_csn()


def test_one_write_after_an_idle_day_makes_nobody_later_than_it_really_is() -> None:
    poll_seconds = 0.05
    with (
        Cluster(size=3, idle_seconds=DAY_SECONDS) as cluster,
        Recorded(cluster, interval_seconds=poll_seconds) as seen,
    ):
        first, _, last = cluster.nodes
        last.cut_replication()
        written_at = monotonic()
        first.write()
        sleep(0.3)  # else it is replicated before anybody looks
        last.heal()
        wait.until(lambda: holds_the_same(first, last), 10.0, "it does not catch up")
        real_seconds = monotonic() - written_at
        sleep(0.3)
        behind = [value for _, value in seen.values("ldap3", "behind_seconds")]
        gaps = [value for _, value in seen.values("ldap3", "csn_gap_seconds")]

    print(  # noqa: T201  the contrast, for people
        f"\nreally late: {real_seconds:.3f} s; behind_seconds: at most {max(behind):.3f}; "
        f"the naive gap of two CSNs: {max(gaps):.0f}"
    )
    assert max(gaps) > DAY_SECONDS
    assert 0 < max(behind) <= real_seconds + poll_seconds
    assert (behind[-1], gaps[-1]) == (0, 0)
    assert seen.ever_wrong() == {}


def test_a_burst_of_5000_writes_takes_nobody_out(cluster: Cluster) -> None:
    with Recorded(cluster, ("search", "replication")) as seen:
        for _ in range(10):
            cluster.nodes[0].write(500)
        cluster.wait_until_level()
        sleep(2 * INTERVAL_SECONDS)
        latest = {node.name: seen.values(node.name, "behind_seconds") for node in cluster.nodes}

    most = max(value for of in latest.values() for _, value in of)
    print(f"\nlate in a burst: at most {most:.2f} s")  # noqa: T201  as above
    assert seen.ever_out() == set()
    assert {name: of[-1][1] for name, of in latest.items()} == dict.fromkeys(latest, 0)


def test_a_cut_consumer_goes_out_at_the_threshold_and_comes_in_when_it_caught_up(
    cluster: Cluster,
) -> None:
    first, last = cluster.nodes[0], cluster.nodes[3]
    with Recorded(cluster, params=QUICK) as seen:
        last.cut_replication()
        cut_at = monotonic()
        with steady_writes(first, pause_seconds=0.1):
            seen.until_out({"ldap4"}, 10.0)
            out_at = seen.since("ldap4", in_service=False)
            sleep(1.5)
        grows = [(at, value) for at, value in seen.values("ldap4", "behind_seconds") if value]
        last.heal()
        wait.until(lambda: holds_the_same(first, last), 10.0, "it does not catch up")
        level_at = monotonic()
        seen.until_out(set(), 5.0)
        in_at = seen.since("ldap4", in_service=True)

    assert out_at - cut_at > CRITICAL_SECONDS
    reached = min(at for at, value in grows if value > CRITICAL_SECONDS)
    assert reached <= out_at < reached + SLACK_SECONDS  # once the others were probed again
    assert grows[-1][1] == pytest.approx(grows[-1][0] - cut_at, abs=SLACK_SECONDS)
    for at, value in grows:  # second by second
        assert value - grows[0][1] == pytest.approx(at - grows[0][0], abs=SLACK_SECONDS)
    assert in_at - level_at < INTERVAL_SECONDS + SLACK_SECONDS
    assert seen.ever_out() == {"ldap4"}
    assert seen.ever_wrong() == {"ldap4": {"replication.behind"}}


def test_a_provider_that_is_cut_off_both_ways_is_isolated_and_three_stay(
    cluster: Cluster,
) -> None:
    lonely = cluster.nodes[0]
    with Recorded(cluster, params=QUICK) as seen:
        cluster.isolate(lonely)
        lonely.cut_replication()
        with steady_writes(lonely, cluster.nodes[1], pause_seconds=0.1):
            seen.until_out({"ldap1"}, 10.0)
            sleep(1.0)
            told = seen.wrong()

    assert told == {
        "ldap1": {
            ("replication.behind", State.CRITICAL),
            ("replication.isolated", State.CRITICAL),
        }
    }
    assert seen.ever_out() == {"ldap1"}


def test_two_against_two_is_a_split_for_which_nobody_goes_out(cluster: Cluster) -> None:
    first, second, third, fourth = cluster.nodes
    with Recorded(cluster, params=QUICK) as seen:
        for one in (first, second):
            one.cut_replication(third, fourth)
        for one in (third, fourth):
            one.cut_replication(first, second)
        with steady_writes(first, third, pause_seconds=0.1):
            split = {("replication.split", State.CRITICAL)}
            told = {node.name: split for node in cluster.nodes}
            wait.until(lambda: seen.wrong() == told, 10.0, "no split")
            sleep(1.0)

    assert seen.ever_out() == set()


def test_one_that_alone_receives_all_is_not_removed_from_a_split(cluster: Cluster) -> None:
    first, *others = cluster.nodes
    with Recorded(cluster, params=QUICK) as seen:
        for each in others:
            each.cut_replication()
        with steady_writes(*cluster.nodes, pause_seconds=0.1):
            split = {("replication.split", State.CRITICAL)}
            told = {node.name: split for node in cluster.nodes}
            wait.until(lambda: seen.wrong() == told, 10.0, "no split")
            sleep(1.0)

    assert first.name not in seen.ever_out()
    assert seen.ever_out() == set()


def test_a_consumer_whose_provider_died_is_not_blamed() -> None:
    with (
        Cluster(size=3, consumers={2: 1, 3: 1}) as cluster,
        Recorded(cluster, ("replication", "consumer"), params=QUICK) as seen,
    ):
        provider, *consumers = cluster.nodes
        for node in consumers:
            node.cut_replication()
        provider.write()  # which nobody will ever receive
        gaps = partial(seen.values, "ldap2", "csn_gap_seconds")
        wait.until(lambda: any(value for _, value in gaps()), 5.0, "the write is not seen")
        provider.kill()
        seen.until_out({"ldap1"}, 5.0)
        sleep(CRITICAL_SECONDS + 1.0)
        told = seen.wrong()

    assert told.keys() == {"ldap1"}
    assert seen.ever_out() == {"ldap1"}
    assert seen.ever_wrong().keys() == {"ldap1"}


def test_a_consumer_of_a_consumer_is_judged_by_what_others_were_seen_to_have() -> None:
    with (
        Cluster(size=3, consumers={2: 1, 3: 2}) as cluster,
        Recorded(cluster, params=QUICK) as seen,
    ):
        provider, between, _ = cluster.nodes
        provider.write()
        cluster.wait_until_level()
        between.kill()
        seen.until_out({"ldap2"}, 5.0)
        sleep(CRITICAL_SECONDS + 0.5)
        before_the_write = seen.wrong().keys()
        provider.write()
        seen.until_out({"ldap2", "ldap3"}, 10.0)
        behind = seen.wrong()["ldap3"]
        provider.kill()
        # Nobody is left who has more.
        wait.until(lambda: seen.wrong().keys() == {"ldap1", "ldap2"}, 10.0, "blamed still")
        sleep(0.5)
        after_all_died = seen.wrong().keys()

    assert before_the_write == {"ldap2"}  # the death of its provider alone is no fault of it
    assert behind == {("replication.behind", State.CRITICAL)}  # its clients read old data
    assert after_all_died == {"ldap1", "ldap2"}


def test_a_retired_server_id_is_silent() -> None:
    with Cluster(size=3) as cluster:
        cluster.nodes[2].cut_replication()
        cluster.nodes[1].write()  # the first of server ID 2, which ldap3 will never show
        with Recorded(cluster, params=QUICK) as seen:
            seen.until_out({"ldap3"}, 10.0)
        retired = Params(behind=QUICK["replication"].behind, retired_server_ids=(ServerId(2),))
        with Recorded(cluster, params={"replication": retired}) as silent:
            sleep(CRITICAL_SECONDS + 1.0)

    assert silent.ever_wrong() == {}


def test_a_clock_that_is_ahead_is_told_and_makes_nobody_late() -> None:
    with (
        Cluster(size=3, ahead_seconds={3: 599.0}) as cluster,
        Recorded(cluster, params=QUICK) as seen,
    ):
        with steady_writes(cluster.nodes[0], cluster.nodes[2], pause_seconds=0.1):
            wait.until(lambda: len(seen.wrong()) == 3, 10.0, "no skew is told")
            sleep(CRITICAL_SECONDS + 1.0)
        sentence = [f.summary for f in seen.findings("ldap1") if f.code == "future"]

    assert seen.ever_wrong() == {f"ldap{n}": {"replication.future"} for n in (1, 2, 3)}
    assert seen.ever_out() == set()
    assert len(sentence) == 1
    assert sentence[0].startswith("has a change of server ID 003 ")


def test_two_servers_that_write_under_one_server_id_are_found() -> None:
    with Cluster(size=3, server_ids=(1, 2, 2)) as cluster:
        make_canaries(cluster, "lb1")
        with Recorded(cluster, ("write",)) as seen:
            wait.until(lambda: len(seen.wrong()) == 2, 5.0, "not found")
            sleep(1.0)
            told = {
                name: found.summary
                for name in ("ldap2", "ldap3")
                for found in seen.findings(name)
                if found.code == "duplicate_server_id"
            }

    duplicate = {"write.duplicate_server_id"}
    assert seen.ever_wrong() == {"ldap2": duplicate, "ldap3": duplicate}
    assert seen.ever_out() == set()
    assert "as ldap3" in told["ldap2"]
    assert "as ldap2" in told["ldap3"]


def test_servers_with_server_ids_of_their_own_are_no_duplicates(cluster: Cluster) -> None:
    make_canaries(cluster, "lb1")
    with Recorded(cluster, ("write",)) as seen:
        sleep(2.0)
        written = {
            node.root.read(canary_dn(CANARIES, "lb1", server), "entryCSN")[0][-11:-7]
            for node, server in zip(cluster.nodes, seen.asked.servers, strict=True)
        }

    assert seen.ever_wrong() == {}
    assert len(written) == 4
