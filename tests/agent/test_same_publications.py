"""Whatever happens, an agent publishes the same to each publisher with and without a shadow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ldaphealth.agent.agent import Agent
from ldaphealth.agent.shadows import Shadows
from ldaphealth.guard import Override, RoundPeriod
from ldaphealth.model import AnyObservation, Failure, FailureKind
from ldaphealth.publishers.publication import Publication
from ldaphealth.publishers.shadow_publication import ShadowPublication
from ldaphealth.settings import AgentSettings, Cluster, Settings
from tests.agent.simulated_site import site_cluster
from tests.agent.test_shadows import lax, strict
from tests.checks.seen import saw

SERVERS = ("s0", "s1", "s2")
GONE = Failure(FailureKind.CONNECT, "refused")
Event = tuple[Any, ...]


class Recorder:
    """A publisher that keeps all that it gets."""

    def __init__(self) -> None:
        self.publications: list[Publication] = []

    def publish(self, decided: Publication) -> None:
        """Keep it."""
        self.publications.append(decided)

    def close(self) -> None:
        """Nothing is open."""


class Nothing:
    """A receiver of what shadows decide that does nothing."""

    def publish_shadow(self, decided: ShadowPublication) -> None:
        """Do nothing."""


class Stage:
    """An agent whose time and rounds are those of a test."""

    def __init__(self, configured: Cluster) -> None:
        self.now, self.recorder, self.configured = 1000.0, Recorder(), configured
        shadows = Shadows([Nothing()])
        self.agent = Agent(
            self._settings(),
            [self.recorder, shadows],
            probe=lambda *_: [],
            clock=lambda: self.now,
            random=lambda: 0.5,
        )
        self.agent.follow(shadows.note)

    def happens(self, event: Event) -> None:
        """Let one thing happen, and decide."""
        kind, *about = event
        self.now += 5.0
        pool = self.agent.pools["c"]
        if kind == "round":
            server, seconds = about
            period = RoundPeriod(began=self.now - 1, ended=self.now)
            pool.add_round(f"c/{server}", observed(server, self.now - 1, seconds), period)
        elif kind == "override":
            server, action = about
            order = Override(action, self.now + 30.0) if action else None
            pool.override(f"c/{server}", order)
        else:
            self.agent.reconfigure(self._settings())
        self.agent.decide(pool)

    def close(self) -> None:
        """End the threads of the agent."""
        self.agent.stop()
        self.agent.run()

    def _settings(self) -> Settings:
        return Settings({"c": self.configured}, AgentSettings())


def observed(server: str, at: float, seconds: float | None) -> list[AnyObservation]:
    """Return a round whose search takes that long; None: there is no connection."""
    if seconds is None:
        return [saw("connect", of=server, at=at, failure=GONE)]
    found = {"entries": 1, "matching": 0}
    times = {"search": seconds}
    return [
        saw("connect", of=server, at=at),
        saw("search", found, of=server, at=at, took=seconds, timings=times),
        saw("latency", {"seconds": times}, of=server, at=at + seconds),
        saw("unbind", of=server, at=at + seconds),
    ]


servers = st.sampled_from(SERVERS)
events = st.one_of(
    st.tuples(st.just("round"), servers, st.sampled_from((0.01, 0.01, 0.7, 3.0, None))),
    st.tuples(st.just("override"), servers, st.sampled_from(("drain", "in", "out", None))),
    st.just(("reload",)),
)


def published(configured: Cluster, happened: list[Event]) -> list[Publication]:
    stage = Stage(configured)
    try:
        for event in happened:
            stage.happens(event)
    finally:
        stage.close()
    return stage.recorder.publications


@settings(max_examples=25, deadline=None)
@given(st.lists(events, min_size=5, max_size=40), st.sampled_from((strict, lax)))
def test_the_publications_are_the_same(
    happened: list[Event], change: Callable[[Cluster], Cluster]
) -> None:
    plain = site_cluster(len(SERVERS))
    shadowed = replace(plain, shadow=change(plain))

    assert published(shadowed, happened) == published(plain, happened)
