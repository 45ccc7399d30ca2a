"""Rounds that end well are handled together, after a moment; a failure is handled at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import monotonic

import pytest
from msgspec.structs import replace

from demo import wait
from ldaphealth.agent.agent import BATCH_SECONDS, BATCH_SHARE, Agent
from ldaphealth.checks import BUILT_IN
from ldaphealth.ldap.deadline import Deadline
from ldaphealth.model import AnyObservation, Failure, FailureKind, Observation, Server
from ldaphealth.settings import AgentSettings, Cluster, ConfiguredCheck, Settings

CONNECT = BUILT_IN["connect"]
SERVERS = tuple(Server(cluster="c", name=each, uri="ldap://127.0.0.1") for each in ("a", "b"))
CLUSTER = Cluster(
    name="c",
    servers=SERVERS,
    checks=(ConfiguredCheck(CONNECT, CONNECT.params(), CONNECT.effect),),
    min_in_service=0,
    interval_seconds=60.0,
)
GOOD = Observation(
    server="c/a", check="connect", started_at=1.0, duration_seconds=0.1, facts=CONNECT.facts()
)
BAD = replace(GOOD, facts=None, failure=Failure(FailureKind.CONNECT, "refused"))
PATIENCE_SECONDS = 20.0


class Probing:
    """An agent whose clock stands, and whose rounds see what the test gives and wait for it."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.seen: Sequence[AnyObservation] = [GOOD]
        self.may_end = threading.Event()
        self.began: list[str] = []
        settings = Settings(
            {"c": CLUSTER},
            AgentSettings(runtime_directory=Path("/x"), state_directory=Path("/x")),
        )
        self.agent = Agent(
            settings, [], probe=self._probe, clock=lambda: self.now, random=lambda: 0.0
        )

    def _probe(
        self, server: Server, _: Sequence[ConfiguredCheck], __: Deadline
    ) -> list[AnyObservation]:
        self.began.append(server.name)
        self.may_end.wait(PATIENCE_SECONDS)
        return [replace(each, server=server.id) for each in self.seen]

    def handle_all(self) -> None:
        """Handle messages until no round is in progress."""
        while self.agent.in_flight:
            self.agent._wait(self.now + 0.5)

    def seconds_until_handled(self, *, counts: bool) -> float:
        """Return how long the agent's thread waits while a round ends."""
        self.agent._start("c/a", counts=counts)
        began = monotonic()
        self.may_end.set()
        self.handle_all()
        self.may_end.clear()
        return monotonic() - began


@pytest.fixture
def probing() -> Iterator[Probing]:
    made = Probing()
    yield made
    made.may_end.set()
    made.agent.rounds.shutdown()


def test_a_round_that_ends_well_waits_for_others(probing: Probing) -> None:
    assert probing.seconds_until_handled(counts=True) >= BATCH_SECONDS
    assert [*probing.agent.pools["c"].verdicts] == ["c/a"]


@pytest.mark.parametrize(
    ("seen", "counts"), [([BAD], True), ([], True), ([GOOD], False), ([BAD], False)]
)
def test_a_failure_and_a_round_that_a_rule_waits_for_do_not(
    probing: Probing, seen: Sequence[AnyObservation], counts: bool
) -> None:
    """The least of some tries: this host may be busy."""
    probing.seen = seen

    assert min(probing.seconds_until_handled(counts=counts) for _ in range(9)) < BATCH_SECONDS


def test_a_rule_may_begin_to_wait_for_a_round_in_progress(probing: Probing) -> None:
    waited = []
    for _ in range(9):
        probing.agent._start("c/a")
        probing.agent._start("c/a", counts=False)
        began = monotonic()
        probing.may_end.set()
        probing.handle_all()
        probing.may_end.clear()
        waited.append(monotonic() - began)

    assert min(waited) < BATCH_SECONDS
    assert probing.seconds_until_handled(counts=True) >= BATCH_SECONDS  # and is over then


def test_a_round_begins_when_it_is_due(probing: Probing) -> None:
    """Also while others are in progress, or have ended and wait for more."""
    probing.agent.tick(probing.now)
    probing.may_end.set()
    wait.until(lambda: bool(probing.agent._mailbox._patient), PATIENCE_SECONDS, "no end")
    probing.now += 29.999
    assert probing.agent.tick(probing.now) == pytest.approx(probing.now + 0.001)

    probing.agent._wait(probing.now + 0.001)
    assert probing.agent.in_flight == 1  # it is not handled yet: the batch is not over
    probing.now += 0.001
    probing.agent.tick(probing.now)
    wait.until(lambda: len(probing.began) == 2, PATIENCE_SECONDS, "no second round")
    probing.handle_all()


def test_a_round_that_has_ended_is_no_reason_to_leave_out_the_next_one(probing: Probing) -> None:
    """The intervals may be so short that it is due again before the batch is over."""
    probing.may_end.set()
    probing.agent.tick(probing.now)
    wait.until(lambda: bool(probing.agent._mailbox._patient), PATIENCE_SECONDS, "no end")

    probing.now += CLUSTER.interval_seconds
    probing.agent.tick(probing.now)
    probing.handle_all()
    assert probing.agent.counters.overruns == 0
    assert probing.began.count("a") == 2


def test_a_batch_is_a_small_part_of_the_shortest_interval(probing: Probing) -> None:
    assert probing.agent._batch_seconds == BATCH_SECONDS

    quick = replace(CLUSTER, interval_seconds=0.2)
    probing.agent.reconfigure(replace(probing.agent.settings, clusters={"c": quick}))
    assert probing.agent._batch_seconds == 0.2 * BATCH_SHARE
