"""A pool decides on what changed; that must be what a decision on everything gives, bit for bit.

`guard.decide` computes all verdicts and the memory from all findings, without anything that the
pool remembers of the decisions before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ldaphealth.agent.pool import Pool
from ldaphealth.clocks import BootSeconds
from ldaphealth.guard import Decision, Memory, Override, RoundPeriod, decide
from ldaphealth.model import AnyObservation, Failure, FailureKind
from ldaphealth.settings import Cluster, Settle
from tests.agent.simulated_site import Site, site_cluster
from tests.checks.seen import saw

SERVERS = ("s0", "s1", "s2", "s3")
REFUSED = Failure(FailureKind.CONNECT, "refused")
LATE = Failure(FailureKind.TIMEOUT, "no answer within 5 s", answered=True)
NO_NAME = Failure(FailureKind.RESOLVE, "no such name", is_local=True)
SIMULATED_SECONDS = 1800.0
Event = tuple[Any, ...]


def whole_decision(pool: Pool, now: BootSeconds) -> Decision:
    """Return the next decision of a pool, computed from all that was found."""
    state = pool.state()
    every = (each for found in state.findings.values() for each in found)
    return decide(pool.cluster, every, pool.memory, now, state.rounds)


def must_be_of(decision: Decision, pool: Pool) -> None:
    """Compare a decision with a pool after it."""
    assert pool.memory == decision.memory
    assert [*pool.memory.servers] == [*decision.memory.servers]
    expected = {
        each.server: each for each in decision.verdicts if each.server in pool.memory.servers
    }
    assert {**pool.verdicts} == expected


class Stage:
    """A pool and the time, in seconds."""

    def __init__(self, cluster: Cluster) -> None:
        self.now = 1000.0
        self.pool = Pool(cluster, Memory())

    def happens(self, event: Event) -> None:
        """Let something happen, and decide after rounds and overrides."""
        kind, *about = event
        if kind == "passed":
            self.now += about[0]
            return
        self.now += 0.5
        if kind == "round":
            server, how = about
            period = RoundPeriod(began=self.now - 0.25, ended=self.now)
            self.pool.add_round(f"c/{server}", seen(server, self.now - 0.25, how), period)
        elif kind == "override":
            server, action = about
            order = Override(action, self.now + 20.0) if action else None
            self.pool.override(f"c/{server}", order)
        elif kind == "restart":
            self.pool = Pool.of_state(self.pool.state())
        else:
            self.pool.reconfigure(cluster(about[0]))
        self.decide()

    def decide(self) -> None:
        """Decide, and compare with a decision on everything."""
        expected = whole_decision(self.pool, self.now)
        self.pool.decide(self.now)
        must_be_of(expected, self.pool)


def cluster(servers: int) -> Cluster:
    """Return a cluster whose rules change something within seconds."""
    settle = Settle(
        fall_hard=1, fall_soft=2, rise=2, min_out_seconds=3.0, ramp_seconds=8.0, believe_seconds=6.0
    )
    return replace(site_cluster(servers), settle=settle, min_in_service=2)


def seen(server: str, at: float, how: str | float) -> list[AnyObservation]:
    """Return a round that fails like that, or whose search takes so many seconds."""
    if how in {"refused", "no name"}:
        failure = REFUSED if how == "refused" else NO_NAME
        return [saw("connect", of=server, at=at, failure=failure)]
    found = [saw("connect", of=server, at=at), saw("bind", of=server, at=at)]
    if how == "late":
        return [*found, saw("search", of=server, at=at, failure=LATE)]
    seconds = how if isinstance(how, float) else 0.01
    entries = {"entries": 0 if how == "empty" else 1, "matching": 0}
    csn = f"202601010000{int(at) % 60 // 8 * 8:02}.000000Z#000000#000#000000"
    shown = {"contextCSN": {"": () if how == "bare" else (csn,)}}
    times = {"bind": 0.01, "search": seconds}
    return [
        *found,
        saw("search", entries, of=server, at=at, took=seconds, timings={"search": seconds}),
        saw("replication", shown, of=server, at=at + seconds),
        saw("latency", {"seconds": times}, of=server, at=at + seconds),
        saw("unbind", of=server, at=at + seconds),
    ]


servers = st.sampled_from(SERVERS)
GOOD = ("good",) * 6
QUIET = [("round", server, "good") for server in SERVERS * 2]  # so that all are in service
how = st.sampled_from((*GOOD, "refused", "late", "empty", "bare", "no name", 0.7, 3.0))
events = st.one_of(
    st.tuples(st.just("round"), servers, how),
    st.tuples(st.just("round"), servers, st.just("good")),
    st.tuples(st.just("passed"), st.sampled_from((0.5, 3.0, 9.0, 60.0))),
    st.one_of(
        st.tuples(st.just("override"), servers, st.sampled_from(("drain", "in", "out", None))),
        st.tuples(st.just("reload"), st.sampled_from((3, 4))),
        st.just(("restart",)),
    ),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(events, min_size=10, max_size=80))
@example([("override", "s0", "in"), ("passed", 60.0), ("round", "s1", "good")])
@example([("round", "s0", "refused"), ("round", "s0", "no name"), ("round", "s1", "good")])
def test_events_give_the_decisions_of_a_whole_computation(happened: list[Event]) -> None:
    stage = Stage(cluster(len(SERVERS)))
    for event in (*QUIET, *happened):
        if event[0] != "round" or f"c/{event[1]}" in {e.id for e in stage.pool.cluster.servers}:
            stage.happens(event)


class ComparedSite(Site):
    """A simulated site that compares each decision."""

    def _decide(self) -> None:
        pool = self.pool
        usual: Callable[[BootSeconds], Any] = pool.decide

        def compared(now: BootSeconds) -> Any:
            expected = whole_decision(pool, now)
            decided = usual(now)
            must_be_of(expected, pool)
            return decided

        pool.decide = compared  # type: ignore[method-assign]
        try:
            super()._decide()
        finally:
            del pool.decide


def test_a_site_with_faults_is_decided_as_by_whole_computations() -> None:
    site = ComparedSite(seed=5)
    while site.now < SIMULATED_SECONDS:
        chance = site.random.random()
        if chance < 0.02:
            site.break_one()
        elif chance < 0.022:
            site.break_most()
        elif chance < 0.024:
            site.break_all()
        elif chance < 0.03:
            site.override()
        elif chance < 0.032:
            site.restart()
        site.step()
    assert site.changes
