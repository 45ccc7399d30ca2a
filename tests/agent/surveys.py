"""A survey for the tests of the agent: it does what a test wants, and notes when it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from msgspec import Struct

from ldaphealth.check import Check, View
from ldaphealth.model import CheckEffect, Finding, State
from ldaphealth.settings import Cluster, ConfiguredCheck
from ldaphealth.survey import SurveyContext, SurveyResult
from tests.checks.seen import cluster, planned

NAME = "landscape"
AnySurvey = Callable[[SurveyContext[Any, Any]], SurveyResult[Any, Any]]


class Params(Struct, frozen=True):
    """Short times, so that a test sees several surveys."""

    interval_seconds: float = 0.1
    deadline_seconds: float = 5.0
    label: str = ""


class Facts(Struct, frozen=True):
    """Whatever a test wants to see again."""

    bad: bool = False
    label: str = ""
    turn: int = 0
    height_metres: int = 0
    kept: Any = None


def judge(view: View[Facts], _: Params) -> Iterable[Finding]:
    """Call bad what the survey calls bad."""
    is_bad = view.facts.bad
    yield view.finding(State.CRITICAL if is_bad else State.OK, "bad" if is_bad else "ok", "seen")


def surveying(survey: AnySurvey, params: Params | None = None, servers: int = 2) -> Cluster:
    """Return a cluster with `connect` and one survey."""
    check = Check(name=NAME, params=Params, facts=Facts, judge=judge, survey=survey)
    mine = ConfiguredCheck(check, params or Params(), CheckEffect.WATCH)
    return cluster(planned("connect"), mine, servers=servers)


def then(
    surveyed: SurveyResult[Any, Any], *before: Callable[[SurveyContext[Any, Any]], object]
) -> AnySurvey:
    """Return a survey that does this and returns that."""

    def survey(site: SurveyContext[Any, Any]) -> SurveyResult[Any, Any]:
        for each in before:
            each(site)
        return surveyed

    return survey
