"""What the forecast check says of databases and connections that fill, and what it reads."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from ldaphealth.checks.forecast import Facts, Params, Resource, survey
from ldaphealth.judging.forecast import Forecast
from ldaphealth.ldap.deadline import Deadline
from ldaphealth.ldap.session import open_session
from ldaphealth.survey import SurveyContext, SurveyResult
from tests.checks.seen import (
    FINE,
    OK,
    SOFT,
    TOLD,
    WARNING,
    Case,
    Opinion,
    judged,
    opinions,
    saw,
    server,
    view,
)

DAY = 86_400.0
SOON: Opinion = ("full_soon", WARNING, TOLD)


def database(*days: float | None, known_days: float = 28) -> Resource:
    """Return a database that is full after these days: earliest, likely and latest."""
    full = None
    if days:
        earliest, likely, latest = days
        assert earliest is not None
        assert likely is not None
        full = Forecast(
            earliest_seconds=earliest * DAY,
            likely_seconds=likely * DAY,
            latest_seconds=None if latest is None else latest * DAY,
        )
    return Resource(
        kind="database", label="dc=x", ratio=0.81, known_seconds=known_days * DAY, full=full
    )


CONNECTIONS = Resource(
    kind="connections",
    ratio=0.9,
    known_seconds=28 * DAY,
    full=Forecast(earliest_seconds=DAY, likely_seconds=2 * DAY, latest_seconds=3 * DAY),
)


def case(*resources: Resource, expected: tuple[Opinion, ...], days: float = 7.0) -> Case:
    return Case(view(saw("forecast", Facts(resources))), Params(warning_days=days), expected)


CASES = {
    "no numbers": case(expected=(("collecting", OK, SOFT),)),
    "less than a week": case(database(known_days=3), expected=(FINE,)),
    "no end": case(database(), expected=(FINE,)),
    "the whole interval is soon": case(database(2, 3, 6), expected=(SOON,)),
    "a part of the interval is later": case(database(2, 3, 8), expected=(FINE,)),
    "no latest": case(database(2, 3, None), expected=(FINE,)),
    "full now": case(database(0, 0, 0), expected=(SOON,)),
    "another time to warn": case(database(2, 3, 8), expected=(SOON,), days=9),
    "two resources": case(database(2, 3, 6), CONNECTIONS, expected=(SOON, SOON)),
    "one of two": case(database(), CONNECTIONS, expected=(SOON,)),
}


@pytest.mark.parametrize("name", CASES)
def test_forecasts_are_judged(name: str) -> None:
    row = CASES[name]

    assert opinions(judged(row.view, row.params)) == row.expected


SENTENCES = {
    "the whole interval is soon": "the database dc=x is full in about 3 d (2 d to 6 d), if use "
    "grows as before; now 81% of its pages are in use",
    "no latest": "the database dc=x is full in about 3 d (2 d to later), if use grows as before; "
    "now 81% of its pages are in use",
    "full now": "the database dc=x is full: 81% of its pages are in use",
    "one of two": "connections use all file descriptors of the server in about 2 d (24 h to 3 d), "
    "if use grows as before; now 90% of them are in use",
    "no end": "nothing will be full within 14 d, as use was before",
    "less than a week": "a forecast needs a week of history; there is 3 d",
}


@pytest.mark.parametrize("name", SENTENCES)
def test_sentences(name: str) -> None:
    row = CASES[name]

    (finding,) = judged(row.view, row.params)

    assert finding.summary == SENTENCES[name]


def test_a_metric_has_the_likely_time_by_resource() -> None:
    row = CASES["two resources"]

    metrics = [metric for each in judged(row.view, row.params) for metric in each.metrics]

    assert [(each.name, each.label, each.value) for each in metrics] == [
        ("forecast_full_seconds", "database dc=x", 3 * DAY),
        ("forecast_full_seconds", "connections", 2 * DAY),
    ]


HOURS = {hour: 1000.0 + hour for hour in range(14 * 24)}
PAST = {
    "resources.database_pages": {"dc=x": HOURS, "dc=y": HOURS},
    "resources.database_pages_max": {"dc=x": {0: 1.0, 335: 1335.0 + 48}},
    "resources.connections": {"": {0: 5.0}},
    "resources.connections_max": {"": {0: 10.0}},
}


def past(server_id: str, number: str) -> Mapping[str, Mapping[int, float]]:
    return PAST[number] if server_id == "c/s0" else {}


def surveyed(now: float, kept: float | None = None, *returned: str) -> SurveyResult[Facts, float]:
    context: SurveyContext[Params, float] = SurveyContext(
        servers=(server("s0"), server("s1")),
        params=Params(),
        deadline=Deadline.after(5.0, lambda: now),
        kept=kept,
        returned=frozenset(returned),
        open_session=open_session,
        wait=lambda _: False,
        past=past,
    )
    return survey(context)


def test_a_survey_reads_the_past_of_each_server() -> None:
    found = surveyed(0.0).found

    exactly = Forecast(earliest_seconds=2 * DAY, likely_seconds=2 * DAY, latest_seconds=2 * DAY)
    assert found["c/s0"].facts.resources == (
        Resource(
            kind="database",
            label="dc=x",
            ratio=0.9653,
            known_seconds=335 * 3600.0,
            full=exactly,
        ),
        Resource(kind="connections", ratio=0.5, known_seconds=0.0),
    )
    assert found["c/s1"].facts == Facts()


@pytest.mark.parametrize(
    ("now", "kept", "returned", "servers", "keeps"),
    [
        pytest.param(100.0, None, (), {"c/s0", "c/s1"}, 100.0, id="the first run"),
        pytest.param(3700.0, 100.0, (), {"c/s0", "c/s1"}, 3700.0, id="an interval later"),
        pytest.param(3700.0, 100.0, ("c/s1",), {"c/s0", "c/s1"}, 3700.0, id="and one came back"),
        pytest.param(400.0, 100.0, ("c/s1",), {"c/s1"}, 100.0, id="one came back meanwhile"),
    ],
)
def test_a_server_that_comes_back_costs_no_whole_run(
    now: float, kept: float | None, returned: tuple[str, ...], servers: set[str], keeps: float
) -> None:
    result = surveyed(now, kept, *returned)

    assert result.found.keys() == servers
    assert result.kept == keeps
