"""A summary is made of each probe of a round, and judged although the newest session failed."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from ldaphealth.checks.session import Facts
from ldaphealth.judging.judge import judge
from ldaphealth.judging.recent_observations import RecentObservations
from ldaphealth.judging.summaries import probes, summaries
from ldaphealth.model import (
    AnyObservation,
    BindMethod,
    CheckEffect,
    Credentials,
    Failure,
    FailureKind,
    Secret,
)
from ldaphealth.settings import ConfiguredCheck
from tests.checks.seen import cluster, planned, saw

RESET = Failure(FailureKind.CONNECT, "reset by peer")
CHECKS = (planned("connect"), planned("bind"), planned("monitor"), planned("session"))


def probe(at: float, failed: str = "") -> list[AnyObservation]:
    seen = [saw("connect", at=at, took=0.1)]
    for check in ("bind", "monitor"):
        failure = RESET if check == failed else None
        seen.append(saw(check, at=at + 0.1, took=0.1, failure=failure))
    return seen


def test_each_probe_of_a_round_has_a_summary() -> None:
    seen = [*probe(1.0, failed="bind"), *probe(2.0)]
    found = list(summaries(CHECKS, seen))

    assert [each.facts for each in found] == [Facts("bind.disconnected"), Facts("", 0.0)]
    assert [each.started_at for each in found] == [1.0, 2.0]
    assert found[0].ended_at == pytest.approx(1.2)


def test_a_check_that_cannot_remove_the_server_makes_no_failed_probe() -> None:
    found = list(summaries(CHECKS, probe(1.0, failed="monitor")))

    assert [each.facts for each in found] == [Facts("", 0.0)]


def test_a_failure_of_a_second_session_makes_no_failed_probe() -> None:
    """An account that is refused is not tried in each probe, so its share says nothing."""
    account = Credentials(BindMethod.SIMPLE, "cn=web", Secret("x"))
    checks = (*CHECKS[:2], replace(planned("search"), credentials=account), CHECKS[-1])
    seen = [*probe(1.0), saw("search", at=2.0, failure=RESET)]

    assert [each.facts for each in summaries(checks, seen)] == [Facts("", 0.0)]


def test_without_a_check_that_summarizes_there_is_none() -> None:
    assert list(summaries(CHECKS[:-1], probe(1.0))) == []


def test_an_error_of_a_check_is_logged_and_makes_no_summary(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def stumble(_: Sequence[AnyObservation], __: object) -> Facts:
        raise KeyError("x")

    check = replace(CHECKS[-1].check, summarize=stumble)
    wrong = ConfiguredCheck(check, CHECKS[-1].params, CheckEffect.OUT)
    with caplog.at_level(logging.ERROR):
        assert list(summaries((*CHECKS[:-1], wrong), probe(1.0))) == []

    assert "check session cannot summarize a probe" in caplog.text


def test_probes_are_told_apart_by_their_first_check() -> None:
    assert [len(each) for each in probes([*probe(1.0), *probe(2.0)[:2]])] == [3, 2]
    assert probes([]) == []


@pytest.mark.parametrize("newest", ["", "bind"])
def test_it_is_judged_also_if_the_newest_session_failed(newest: str) -> None:
    recent, checks = RecentObservations(), CHECKS
    for at in range(0, 40, 4):
        seen = [*probe(at, failed="bind"), *probe(at + 1.0)]
        seen = seen if at < 36 or not newest else seen[:2]
        for each in seen:
            recent.add(each)
        for each in summaries(checks, seen):
            recent.add_summary(each)

    found = {each.check: each for each in judge(cluster(*checks), recent, one_shot=False)}

    assert found["session"].reason == "session.unreliable"
    assert ("disconnected" in found["bind"].code) is bool(newest)
