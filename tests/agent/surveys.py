"""A survey for the tests of the agent: it does what it is told, and notes when it is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec import Struct

from ldaphealth.check import Check, View, not_in_rounds
from ldaphealth.model import CheckEffect, Finding, State
from ldaphealth.settings import Cluster, ConfiguredCheck
from ldaphealth.survey import Survey, SurveyContext, SurveyResult
from tests.checks.seen import cluster, planned

NAME = "landscape"


class Params(Struct, frozen=True):
    """Short times, so that a test sees several surveys."""

    interval_seconds: float = 0.1
    deadline_seconds: float = 5.0
    label: str = ""


def judge(view: View, _: Params) -> Iterable[Finding]:
    """Call bad what the survey calls bad."""
    is_bad = view.latest.facts.get("bad", False)
    yield view.finding(State.CRITICAL if is_bad else State.OK, "bad" if is_bad else "ok", "seen")


def surveying(survey: Survey, params: Params | None = None, servers: int = 2) -> Cluster:
    """Return a cluster with `connect` and one survey."""
    check = Check(NAME, Params, not_in_rounds, judge, CheckEffect.WATCH, survey=survey)
    mine = ConfiguredCheck(check, params or Params(), CheckEffect.WATCH)
    return cluster(planned("connect"), mine, servers=servers)


def then(surveyed: SurveyResult, *before: Callable[[SurveyContext], object]) -> Survey:
    """Return a survey that does this and returns that."""

    def survey(site: SurveyContext) -> SurveyResult:
        for each in before:
            each(site)
        return surveyed

    return survey
