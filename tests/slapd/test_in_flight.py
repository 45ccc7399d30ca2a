"""Requests that one server has begun and does not answer, by the counters of a real slapd."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from demo import wait
from demo.client import LdapError
from demo.cluster import Cluster
from demo.node import Node
from demo.tree import PEOPLE
from tests.slapd.recorded import Recorded

pytestmark = pytest.mark.slapd
SEARCHES = 12  # of the 16 threads of slapd
SOON_SECONDS = 10.0
STUCK = (
    f"at least {SEARCHES} search requests were in flight in 3 reads in a row, "
    "0 at the median of the other servers"
)


def stuck(seen: Recorded) -> list[str]:
    """Return the sentences on requests that are stuck on the second node."""
    return [each.summary for each in seen.findings("ldap2") if each.code == "stuck"]


def search(node: Node) -> None:
    """Search as a client does that waits until the fault is gone."""
    with contextlib.suppress(LdapError):
        node.check.search(PEOPLE)


def test_searches_that_one_server_does_not_answer_are_stuck_there_and_nowhere_else(
    cluster: Cluster,
) -> None:
    slow = cluster.nodes[1]
    with Recorded(cluster, ("monitor",)) as seen, ThreadPoolExecutor(SEARCHES) as clients:
        cluster.wait_until_linked()
        assert seen.wrong() == {}
        slow.slow_searches(60)
        waiting = [clients.submit(search, slow) for _ in range(SEARCHES)]
        wait.until(lambda: STUCK in stuck(seen), SOON_SECONDS, "nothing is stuck")
        cluster.heal()
        for each in waiting:
            each.result(SOON_SECONDS)
        wait.until(lambda: not seen.wrong(), SOON_SECONDS, "searches are still stuck")

    assert seen.ever_wrong() == {"ldap2": {"monitor.stuck"}}
    assert seen.ever_out() == set()
