"""A pool that gets the events of another one has the same verdicts, from whichever moment on."""

from __future__ import annotations

import logging

import pytest
from msgspec.structs import replace

from ldaphealth.agent.agent import Agent
from ldaphealth.agent.pool import Pool
from ldaphealth.agent.pool_events import (
    Began,
    Decided,
    Ended,
    OverrideChanged,
    PoolEvent,
    RoundAdded,
)
from ldaphealth.agent.pool_replay import apply_event
from ldaphealth.guard import Memory, Override, RoundPeriod
from ldaphealth.settings import AgentSettings, Cluster, Settings
from ldaphealth.survey import SurveyResult
from tests.agent.simulated_site import Site
from tests.agent.surveys import NAME, Facts, surveying, then
from tests.agent.test_baseline import LEVEL, made, rounds
from tests.checks.seen import cluster, planned, saw

HOURS = 3 * 3600.0
FOUND = {"entries": 1, "matching": 1}
EVENTS = (
    (120.0, Site.break_one),
    (1800.0, Site.break_all),
    (600.0, Site.override),
    (900.0, Site.reload),
    (1800.0, Site.restart),
    (1800.0, Site.suspend),
)


class Copy:
    """A follower: a pool that gets all events, and is compared after each one."""

    def __init__(self) -> None:
        self.pool = Pool(cluster(planned("connect")), Memory())
        self.decisions = 0

    def note(self, pool: Pool, event: PoolEvent) -> None:
        """Apply the event, and compare."""
        self.pool = apply_event(self.pool, event)
        if isinstance(event, Decided):
            self.decisions += 1
            assert list(self.pool.verdicts.items()) == list(pool.verdicts.items())
            assert self.pool.memory == pool.memory
        if isinstance(event, Began):
            assert self.pool.state() == pool.state()


def test_facts_that_are_as_in_the_round_before_are_the_same_object() -> None:
    told: list[PoolEvent] = []
    pool = Pool(cluster(planned("connect"), planned("search")), Memory())
    pool.follow(lambda _, event: told.append(event))
    period = RoundPeriod(began=1.0, ended=2.0)
    for at in (1.0, 2.0):
        pool.add_round("c/s0", [saw("connect", at=at), saw("search", FOUND, at=at)], period)

    first, second = (event.seen for event in told if isinstance(event, RoundAdded))
    assert second[1] == saw("search", FOUND, at=2.0)
    assert first[1].facts is second[1].facts is pool.latest["c/s0"][1].facts


def failed(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [each for each in caplog.records if each.exc_info]


def test_hours_of_faults_give_a_copy_the_same_verdicts(caplog: pytest.LogCaptureFixture) -> None:
    site, at, first, late = Site(seed=3), 0.0, Copy(), Copy()
    site.follow(first.note)
    while site.now < HOURS:
        passed, at = site.now - at, site.now
        for seconds, event in EVENTS:
            if site.random.random() < passed / seconds:
                event(site)
        if site.now > HOURS / 2 and not late.decisions:
            site.follow(late.note)
        site.step()

    assert not failed(caplog)
    assert first.pool.state() == late.pool.state() == site.pool.state()
    assert first.decisions > late.decisions > 1000
    assert site.changes > 50


def test_a_copy_has_the_surveys_and_the_baselines(caplog: pytest.LogCaptureFixture) -> None:
    connect = planned("connect")
    asked = surveying(then(SurveyResult({})))
    pool, copy = Pool(replace(asked, checks=(connect, *asked.surveys)), Memory()), Copy()
    pool.follow(copy.note)
    for at in (1.0, 2.0):
        for name in ("c/s0", "c/s1"):
            seen = [replace(saw("connect", at=at), server=name)]
            pool.add_round(name, seen, RoundPeriod(began=at, ended=at))
        pool.add_survey([saw(NAME, Facts(bad=at > 1))])
        pool.decide(at)
    assert copy.pool.state() == pool.state()

    went_back = rounds(made(), LEVEL, 10.0)
    went_back.follow(copy.note)
    assert went_back.accept_baselines()
    rounds(went_back, LEVEL, 20.0)
    assert copy.pool.state() == went_back.state()
    assert not failed(caplog)


def test_a_follower_that_raises_disturbs_no_round_and_no_other_follower(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def stumbles(pool: Pool, event: PoolEvent) -> None:
        raise KeyError(pool, event)

    pool, seen = Pool(cluster(planned("connect")), Memory()), list[PoolEvent]()
    pool.follow(stumbles)
    pool.follow(lambda _, event: seen.append(event))
    pool.override("c/s0", Override("drain", 5.0), "alice")
    pool.decide(1.0)

    assert [type(each) for each in seen] == [Began, OverrideChanged, Decided]
    assert "a follower of cluster c failed" in caplog.text


def named(name: str) -> Cluster:
    return replace(cluster(planned("connect")), name=name)


def test_a_follower_of_the_agent_has_the_clusters_that_a_reload_adds_and_removes() -> None:
    agent = Agent(Settings({"a": named("a"), "b": named("b")}, AgentSettings()), [])
    seen: list[tuple[str, type[PoolEvent]]] = []
    agent.follow(lambda pool, event: seen.append((pool.cluster.name, type(event))))
    assert seen == [("a", Began), ("b", Began)]
    seen.clear()
    agent.reconfigure(Settings({"b": named("b"), "c": named("c")}, AgentSettings()))
    assert [each for each in seen if each[1] in (Began, Ended)] == [("a", Ended), ("c", Began)]
