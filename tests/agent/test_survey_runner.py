"""Surveys run at their own intervals, one of a kind at a time, and end at their deadlines."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from queue import Empty, Queue
from time import monotonic
from typing import Any

import pytest
from msgspec.structs import replace

from ldaphealth.agent.survey_runner import (
    MARGIN_SECONDS,
    RETURN_SECONDS,
    SurveyEnded,
    SurveyRunner,
)
from ldaphealth.ldap.deadline import SessionError
from ldaphealth.model import AnyObservation, BindMethod, Credentials, FailureKind, Role
from ldaphealth.survey import SurveyContext, SurveyFacts, SurveyResult
from tests.agent.surveys import NAME, Facts, Params, surveying, then

PATIENCE_SECONDS = 10.0
FINE: SurveyResult[Facts, Any] = SurveyResult(
    {"c/s0": SurveyFacts(Facts(height_metres=1), {"climb": 0.5}), "c/s1": SurveyFacts(Facts())}
)


class Base:
    """Where the surveys of one cluster are sent from, on a clock that the test turns."""

    def __init__(self, survey: Any, params: Params | None = None) -> None:
        self.messages: Queue[SurveyEnded] = Queue()
        self.runner = SurveyRunner(self.messages.put, lambda: 0.0)
        self.cluster = surveying(survey, params)
        self.runner.plan([self.cluster], 0.0)

    def at(self, now: float) -> None:
        """Begin what is due then."""
        self.runner.start_due(now)

    def seen(self) -> tuple[AnyObservation, ...]:
        """Wait for the next message and accept it."""
        return self.runner.accept(self.messages.get(timeout=PATIENCE_SECONDS))

    def is_quiet(self) -> bool:
        """Return whether no survey ends for a moment."""
        try:
            self.messages.get(timeout=0.1)
        except Empty:
            return True
        return False


def seen_facts(base: Base) -> Facts:
    facts = base.seen()[0].facts
    assert isinstance(facts, Facts)
    return facts


def pausing(site: SurveyContext[Any, Any]) -> None:
    while True:
        site.pause(60.0)


def test_what_was_found_becomes_one_observation_a_server() -> None:
    base = Base(then(FINE))
    base.at(0.0)

    one, other = base.seen()

    assert (one.server, one.check, one.facts) == ("c/s0", NAME, Facts(height_metres=1))
    assert one.timings == {"climb": 0.5}
    assert (other.server, other.failure) == ("c/s1", None)
    assert one.started_at <= one.ended_at <= monotonic()


def test_of_a_server_that_was_not_found_or_is_not_configured_nothing_is_said() -> None:
    base = Base(then(SurveyResult({"c/s1": SurveyFacts(Facts()), "c/s7": SurveyFacts(Facts())})))
    base.at(0.0)

    assert [each.server for each in base.seen()] == ["c/s1"]


def test_a_survey_is_due_at_its_own_interval() -> None:
    base = Base(then(FINE), Params(interval_seconds=60.0))
    base.at(0.0)
    base.seen()
    base.at(59.0)

    assert base.is_quiet()
    assert base.runner.next_at() == 60.0
    base.at(60.0)
    assert base.seen()


def test_a_survey_never_overlaps_with_itself() -> None:
    go_on = threading.Event()
    started: list[SurveyContext[Any, Any]] = []
    base = Base(then(FINE, started.append, lambda _: go_on.wait(PATIENCE_SECONDS)))
    for now in (0.0, 1.0, 2.0):
        base.at(now)

    go_on.set()
    assert base.seen()
    assert base.is_quiet()
    assert len(started) == 1
    base.at(3.0)
    assert base.seen()


def test_what_a_survey_keeps_is_given_to_the_next() -> None:
    def count(site: SurveyContext[Any, Any]) -> SurveyResult[Any, Any]:
        turn = 0 if site.kept is None else site.kept + 1
        return SurveyResult({"c/s0": SurveyFacts(Facts(turn=turn))}, turn if turn < 2 else None)

    base = Base(count)
    turns = []
    for now in range(4):
        base.at(float(now))
        turns.append(seen_facts(base).turn)

    assert turns == [0, 1, 2, 0]


@pytest.mark.parametrize(
    "survey", [then(FINE, lambda _: 1 / 0), lambda _: {"c/s0": {}}], ids=["raises", "no Surveyed"]
)
def test_a_survey_that_fails_is_logged_once_and_is_our_own_trouble(
    survey: Callable[[SurveyContext[Any, Any]], SurveyResult[Any, Any]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    base = Base(survey)
    with caplog.at_level(logging.ERROR):
        base.at(0.0)
        seen = base.seen()

    assert [(each.server, each.failure and each.failure.kind) for each in seen] == [
        ("c/s0", FailureKind.BUG),
        ("c/s1", FailureKind.BUG),
    ]
    assert all(each.failure is not None and each.failure.is_local for each in seen)
    assert [bool(record.exc_info) for record in caplog.records] == [True]


def test_what_was_kept_outlasts_a_survey_that_fails() -> None:
    def fail_once(site: SurveyContext[Any, Any]) -> SurveyResult[Any, Any]:
        if site.kept == "cursor" and not failed:
            failed.append(True)
            raise ValueError
        return SurveyResult({"c/s0": SurveyFacts(Facts(kept=site.kept))}, "cursor")

    failed: list[bool] = []
    base = Base(fail_once)
    kept = []
    for now in range(3):
        base.at(float(now))
        kept.append(facts.kept if (facts := base.seen()[0].facts) else "failed")

    assert kept == [None, "failed", "cursor"]


def test_one_that_hangs_past_its_deadline_is_told_once_and_not_begun_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    release = threading.Event()
    base = Base(then(FINE, lambda _: release.wait(PATIENCE_SECONDS)), Params(deadline_seconds=0.05))
    base.at(0.0)
    threading.Event().wait(MARGIN_SECONDS + 0.2)
    base.at(1.0)
    base.at(2.0)
    told = base.seen()
    assert base.is_quiet()

    assert [each.failure and each.failure.kind for each in told] == [FailureKind.BUG] * 2
    assert "it did not end within 0.05 s" in str(told[0].failure)
    assert [record.message for record in caplog.records] == ["a survey hangs"]
    release.set()
    assert base.seen() == ()  # it ends after all, too late to count
    base.at(3.0)
    assert [each.failure for each in base.seen()] == [None, None]


def test_a_pause_ends_at_once_when_all_must_end() -> None:
    base = Base(then(FINE, pausing), Params(deadline_seconds=60.0))
    base.at(0.0)
    began = monotonic()
    base.runner.close()

    assert base.seen() == ()
    assert monotonic() - began < 1.0
    assert base.runner.next_at() == float("inf")


def test_a_pause_is_no_longer_than_the_deadline() -> None:
    began = monotonic()
    base = Base(then(FINE, lambda site: site.pause(60.0)), Params(deadline_seconds=0.1))
    base.at(0.0)

    assert base.seen()
    assert monotonic() - began < 1.0


def test_a_session_is_bounded_by_the_deadline_of_the_survey() -> None:
    bounds: list[float] = []

    def note(site: SurveyContext[Any, Any]) -> None:
        asked = replace(site, open_session=lambda _, deadline, __: bounds.append(deadline.seconds))
        asked.open(site.servers[0])
        asked.open(site.servers[0], seconds=0.5)
        asked.open(site.servers[0], seconds=500.0)

    base = Base(then(FINE, note), Params(deadline_seconds=5.0))
    base.at(0.0)
    base.seen()

    assert bounds == [5.0, 0.5, 5.0]


def test_a_server_that_refuses_is_the_business_of_the_survey() -> None:
    troubles: list[str] = []

    def knock(site: SurveyContext[Any, Any]) -> None:
        with pytest.raises(SessionError) as refused:
            site.open(site.servers[0])
        troubles.append(refused.value.failure.kind)

    base = Base(then(FINE, knock))  # the servers of these tests are at 127.0.0.1:389
    base.at(0.0)

    assert base.seen()
    assert troubles == [FailureKind.CONNECT]


def test_a_reload_that_changes_nothing_lets_it_go_on() -> None:
    go_on = threading.Event()
    base = Base(then(FINE, lambda _: go_on.wait(PATIENCE_SECONDS)), Params(interval_seconds=60.0))
    base.at(0.0)
    base.runner.plan([base.cluster], 10.0)
    go_on.set()

    assert base.seen()
    assert base.runner.next_at() == 60.0


@pytest.mark.parametrize("change", ["servers", "settings", "gone"])
def test_a_reload_that_changes_it_ends_it_and_drops_what_it_saw(change: str) -> None:
    survey = then(FINE, pausing)
    base = Base(survey)
    base.at(0.0)
    after = {
        "servers": [surveying(survey, servers=3)],
        "settings": [surveying(survey, Params(label="other"))],
        "gone": [],
    }[change]
    base.runner.plan(after, 1.0)

    assert base.seen() == ()


def test_other_settings_forget_what_was_kept() -> None:
    def render(site: SurveyContext[Any, Any]) -> SurveyResult[Any, Any]:
        return SurveyResult({"c/s0": SurveyFacts(Facts(kept=site.kept))}, "cursor")

    base = Base(render)
    base.at(0.0)
    base.seen()
    base.runner.plan([surveying(render, Params(label="other"))], 1.0)
    base.at(2.0)

    assert seen_facts(base).kept is None


def keeping(site: SurveyContext[Any, Any]) -> SurveyResult[Any, Any]:
    return SurveyResult({"c/s0": SurveyFacts(Facts(kept=site.kept))}, "cursor")


@pytest.mark.parametrize(
    ("change", "kept"), [({"uri": "ldap://127.0.0.9"}, None), ({"weight": 7}, "cursor")]
)
def test_another_server_under_an_old_name_forgets_what_was_kept(
    change: dict[str, Any], kept: str | None
) -> None:
    base = Base(keeping)
    base.at(0.0)
    base.seen()
    first, *others = base.cluster.servers
    base.cluster = replace(base.cluster, servers=(replace(first, **change), *others))
    base.runner.plan([base.cluster], 1.0)
    base.at(2.0)

    assert seen_facts(base).kept == kept


def test_the_surveys_of_many_clusters_do_not_begin_together() -> None:
    base = Base(then(FINE))
    clusters = [
        replace(surveying(then(SurveyResult({})), Params(interval_seconds=60.0)), name=f"c{n}")
        for n in range(60)
    ]
    base.runner.plan(clusters, 0.0)
    begun = []
    for now in range(60):
        base.at(float(now))
        begun.append(0)
        while base.runner._running:
            base.seen()
            begun[-1] += 1

    assert max(begun) <= 2
    assert sum(begun) == 60


def test_surveys_run_in_the_threads_that_exist_when_no_other_can_start() -> None:
    base = Base(then(FINE))
    usual = threading.stack_size(1 << 46)  # no machine has as much address space for a stack
    try:
        base.at(0.0)
        assert [each.failure for each in base.seen()] == [None, None]
    finally:
        threading.stack_size(usual)


def test_a_survey_of_single_servers_leaves_out_a_balancer() -> None:
    watched: list[str] = []

    def survey(site: SurveyContext[Any, Any]) -> SurveyResult[Any, Any]:
        watched.extend(each.id for each in site.servers)
        return FINE

    base = Base(survey)
    first, second = base.cluster.servers
    connect, mine = base.cluster.checks
    base.cluster = replace(
        base.cluster,
        servers=(replace(first, role=Role.BALANCER), second),
        checks=(connect, replace(mine, check=replace(mine.check, of_one_server=True))),
    )
    base.runner.plan([base.cluster], 0.0)
    base.at(1.0)

    assert [each.server for each in base.seen()] == ["c/s1"]
    assert watched == ["c/s1"]


def test_servers_that_came_back_are_surveyed_soon() -> None:
    watched: list[frozenset[str]] = []

    def survey(site: SurveyContext[Any, Any]) -> SurveyResult[Any, Any]:
        watched.append(site.returned)
        return FINE

    base = Base(survey, Params(interval_seconds=3600.0))
    base.at(1.0)
    base.seen()
    base.runner.hurry("c", ["c/s1"], 2.0)
    base.runner.hurry("another", ["c/s0"], 2.0)
    due = base.runner.next_at()
    base.at(due - 0.1)
    assert base.is_quiet()
    base.at(due)
    base.seen()
    base.at(due + 100.0)

    assert due == 2.0 + RETURN_SECONDS
    assert watched == [frozenset(), frozenset({"c/s1"})]
    assert base.is_quiet()


def test_a_survey_in_progress_is_followed_by_that_of_the_servers_that_came_back() -> None:
    release = threading.Event()
    watched: list[frozenset[str]] = []

    def survey(site: SurveyContext[Any, Any]) -> SurveyResult[Any, Any]:
        watched.append(site.returned)
        release.wait(PATIENCE_SECONDS)
        return FINE

    base = Base(survey, Params(interval_seconds=3600.0))
    base.at(1.0)
    base.runner.hurry("c", ["c/s1"], 2.0)
    base.at(20.0)
    release.set()
    base.seen()
    base.at(base.runner.next_at())
    base.seen()

    assert watched == [frozenset(), frozenset({"c/s1"})]


def test_a_survey_that_is_due_before_leaves_the_server_to_the_next() -> None:
    watched: list[frozenset[str]] = []

    def survey(site: SurveyContext[Any, Any]) -> SurveyResult[Any, Any]:
        watched.append(site.returned)
        return FINE

    base = Base(survey, Params(interval_seconds=5.0))
    base.runner.hurry("c", ["c/s1"], 0.0)
    for at in (1.0, 6.0, 11.0):
        base.at(at)
        base.seen()

    assert watched == [frozenset(), frozenset(), frozenset({"c/s1"})]


def test_a_cluster_of_balancers_has_no_survey_of_single_servers() -> None:
    base = Base(then(FINE))
    connect, mine = base.cluster.checks
    base.cluster = replace(
        base.cluster,
        servers=tuple(replace(each, role=Role.BALANCER) for each in base.cluster.servers),
        checks=(connect, replace(mine, check=replace(mine.check, of_one_server=True))),
    )
    base.runner.plan([base.cluster], 0.0)
    base.at(1.0)

    assert base.is_quiet()


def test_a_survey_with_credentials_of_its_own_uses_them_on_all_servers() -> None:
    accounts: list[str] = []

    def survey(site: SurveyContext[Any, Any]) -> SurveyResult[Facts, Any]:
        accounts.extend(server.credentials.dn for server in site.servers)
        return FINE

    base = Base(survey)
    (connect, planned) = base.cluster.checks
    account = Credentials(BindMethod.SIMPLE, "cn=application")
    own = replace(base.cluster, checks=(connect, replace(planned, credentials=account)))
    base.runner.plan([own], 0.0)
    base.at(0.0)

    assert [each.server for each in base.seen()] == ["c/s0", "c/s1"]
    assert accounts == ["cn=application"] * 2
