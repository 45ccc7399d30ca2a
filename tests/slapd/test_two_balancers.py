"""Two balancers check the same cluster at once, and neither makes the other's writes fail.

`make soak` runs it for longer than the suite does.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field

import pytest

from demo.cluster import Cluster
from demo.tree import CANARIES
from ldaphealth import settings
from ldaphealth.model import State, Verdict
from ldaphealth.tasks.one_shot import evaluate
from tests.slapd.watched import make_canaries, out, watched

pytestmark = pytest.mark.slapd

AGENTS = ("lb1", "lb2")
WRITE_ONLY = ("connect", "bind", "write", "unbind")
PROGRESS_SECONDS = 10.0


@dataclass
class Balancer:
    """One agent that looks round after round without a pause, and what came of its writes.

    A slow write is not a failed one; `slow` counts those, because the machine may be busy.
    """

    asked: settings.Cluster
    rounds: int = 0
    writes: int = 0
    slow: int = 0
    slowest_seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)

    def run(self, until: float) -> None:
        """Look until that time on the monotonic clock."""
        while time.monotonic() < until:
            for verdict in evaluate([self.asked]).verdicts:
                self._count(verdict)
            self.rounds += 1

    def _count(self, verdict: Verdict) -> None:
        found = [finding for finding in verdict.findings if finding.check == "write"]
        if len(found) != 1 or found[0].state not in (State.OK, State.WARNING):
            self.wrong.append(
                f"{verdict.server}: {[f'{f.reason}: {f.summary}' for f in verdict.findings]}"
            )
            return
        self.writes += 1
        self.slow += found[0].state is State.WARNING
        self.slowest_seconds = max([self.slowest_seconds, *(m.value for m in found[0].metrics)])

    def __str__(self) -> str:
        return (
            f"{self.rounds} rounds, {self.writes} writes, {len(self.wrong)} failed, "
            f"{self.slow} slow, slowest {self.slowest_seconds:.3f} s"
        )


@pytest.fixture(autouse=True)
def _canaries(cluster: Cluster) -> None:
    for agent in AGENTS:
        make_canaries(cluster, agent)


def test_two_agents_that_write_at_once_do_not_disturb_each_other(cluster: Cluster) -> None:
    both = [watched(cluster, agent=agent) for agent in AGENTS]

    assert [out(evaluate(both)) for _ in range(5)] == [{}] * 5


def test_no_write_of_two_balancers_ever_fails(
    cluster: Cluster, pytestconfig: pytest.Config
) -> None:
    seconds = pytestconfig.getoption("soak_seconds")
    balancers = {
        agent: Balancer(watched(cluster, agent=agent, checks=WRITE_ONLY)) for agent in AGENTS
    }

    run_at_once(balancers, seconds)

    assert {agent: balancer.wrong for agent, balancer in balancers.items()} == {
        agent: [] for agent in AGENTS
    }
    assert all(balancer.rounds for balancer in balancers.values())
    cluster.wait_until_level()
    tokens = [node.root.search(CANARIES, "(ou=*)", "description") for node in cluster.nodes]
    by_dn = [sorted(map(str, each)) for each in tokens]
    assert by_dn == by_dn[:1] * len(cluster.nodes)


def run_at_once(balancers: dict[str, Balancer], seconds: float) -> None:
    """Run all, each in its thread, and say every few seconds how far they are."""
    started_at = time.monotonic()
    with ThreadPoolExecutor(len(balancers)) as pool:
        running = {pool.submit(each.run, started_at + seconds) for each in balancers.values()}
        while running:
            done, running = wait(running, PROGRESS_SECONDS)
            for each in done:
                each.result()
            render(balancers, time.monotonic() - started_at)


def render(balancers: dict[str, Balancer], seconds: float) -> None:
    """Print what has been done so far; pytest -s shows it."""
    for agent, balancer in balancers.items():
        print(f"[{seconds:5.1f} s] {agent}: {balancer}", flush=True)  # noqa: T201  the numbers of make soak
