"""What servers share is no fault of theirs: an expectation that most contradict, a lost network."""

from __future__ import annotations

from time import sleep

import pytest

from demo import wait
from demo.cluster import Cluster
from demo.tree import PEOPLE
from tests.slapd.recorded import Recorded

pytestmark = pytest.mark.slapd

ROUNDS_SECONDS = 2.0
CHECKS = ("search",)


def test_a_password_that_most_servers_refuse_removes_none(cluster: Cluster) -> None:
    with Recorded(cluster, CHECKS) as seen:
        for node in cluster.nodes[:3]:
            node.refuse_password()
        wait.until(lambda: len(seen.wrong()) >= 3, 5.0, "the password is accepted")
        wait.until(lambda: not seen.out(), 5.0, "a server is out")
        before = len(seen.decided)  # the first to refuse it was alone for a moment
        sleep(ROUNDS_SECONDS)

    assert all(v.in_service for _, each in seen.decided[before:] for v in each.values())


def test_a_server_with_another_fault_does_not_blame_the_others(cluster: Cluster) -> None:
    with Recorded(cluster, CHECKS) as seen:
        cluster.nodes[0].refuse_password()
        wait.until(lambda: seen.out() == {"ldap1"}, 5.0, "ldap1 is in service")
        for node in cluster.nodes[1:]:
            node.hide_base(PEOPLE)
        wait.until(lambda: len(seen.wrong()) == 4, 5.0, "the search base is there")
        sleep(ROUNDS_SECONDS)

    assert seen.ever_out() <= {"ldap1", "ldap2", "ldap3"}  # until the third one was hidden
    assert seen.out() == {"ldap1"}


@pytest.mark.parametrize("lost_seconds", [1.5, 6.0])
def test_servers_that_were_silent_together_stay_in_service(
    cluster: Cluster, lost_seconds: float
) -> None:
    """As if the network of the agent had been away: no server answers, and then all do."""
    with Recorded(cluster, CHECKS) as seen:
        for node in cluster.nodes:
            node.freeze()
        sleep(lost_seconds)
        for node in cluster.nodes:
            node.thaw()
        sleep(ROUNDS_SECONDS)

    assert seen.ever_out() == set()


def test_a_server_that_is_silent_alone_goes_out(cluster: Cluster) -> None:
    with Recorded(cluster, CHECKS) as seen:
        cluster.nodes[1].kill()
        wait.until(lambda: seen.out() == {"ldap2"}, 5.0, "ldap2 is in service")

    assert seen.ever_out() == {"ldap2"}
