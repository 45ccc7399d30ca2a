"""When databases and file descriptors of the servers will be full, by how they filled before.

The history keeps the numbers (docs/history.md). Only the agent has it, so a one-shot check knows
nothing of this. The check sends nothing to a server.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

from msgspec import Meta, Struct

from ldaphealth.check import Check, View
from ldaphealth.clocks import DAY_SECONDS, RunningSeconds
from ldaphealth.judging.forecast import LEAST_STEPS, MOST_PART, STEP_SECONDS, Forecast, forecast
from ldaphealth.model import Finding, Metric, State, Trust
from ldaphealth.survey import Past, SurveyContext, SurveyFacts, SurveyResult
from ldaphealth.text.duration import one_unit
from ldaphealth.text.printable import printable

MOST_SHOWN = 16  # resources of one server
WHOLE_PART = 0.9  # of the interval, which varies a little: after this time a run is a whole one
PAUSE_SECONDS = 0.05  # between two servers


class Params(Struct, frozen=True, kw_only=True):
    """Settings of the check."""

    warning_days: Annotated[
        float,
        Meta(
            gt=0,
            le=14,
            description="a warning is given when a resource will be full within so many days even "
            "at the latest that is forecast",
        ),
    ] = 7.0
    interval_seconds: Annotated[
        float, Meta(ge=60, le=86400, description="the time between two forecasts")
    ] = 3600.0
    deadline_seconds: Annotated[
        float, Meta(ge=1, le=3600, description="how long the forecasts of all servers may take")
    ] = 300.0


class Resource(Struct, frozen=True, kw_only=True):
    """A resource of a server of which the history knows the numbers.

    `label` is the suffix of a database, else "". `ratio` is the share that was in use at most in
    the newest hour. `known_seconds`: for how long numbers are known. `full` is None if no end is to
    be seen.
    """

    kind: Literal["database", "connections"]
    label: str = ""
    ratio: float
    known_seconds: float
    full: Forecast | None = None


class Facts(Struct, frozen=True, omit_defaults=True):
    """The resources of a server, and when each will be full."""

    resources: tuple[Resource, ...] = ()


class _Kind(Struct, frozen=True, kw_only=True):
    """The numbers in use and the limit, by their keys, and what happens at the limit, to what."""

    used: str
    limit: str
    is_full: str
    parts: str


KINDS: dict[Literal["database", "connections"], _Kind] = {
    "database": _Kind(
        used="resources.database_pages",
        limit="resources.database_pages_max",
        is_full="the database {label} is full",
        parts="its pages",
    ),
    "connections": _Kind(
        used="resources.connections",
        limit="resources.connections_max",
        is_full="connections use all file descriptors of the server",
        parts="them",
    ),
}


def survey(context: SurveyContext[Params, RunningSeconds]) -> SurveyResult[Facts, RunningSeconds]:
    """Forecast the resources of each server from the history.

    Between two whole runs, only those of servers that came back: their facts are out of date.
    """
    now, before = context.deadline.now(), context.kept
    is_whole = before is None or now - before >= WHOLE_PART * context.params.interval_seconds
    found = {}
    for server in context.servers:
        if is_whole or server.id in context.returned:
            context.pause(PAUSE_SECONDS)  # rounds need the CPU first
            found[server.id] = SurveyFacts(Facts(tuple(_resources(context.past, server.id))))
    return SurveyResult(found, now if is_whole else before)


def _resources(past: Past, server: str) -> Iterator[Resource]:
    for name, kind in KINDS.items():
        used, limits = past(server, kind.used), past(server, kind.limit)
        for label in [each for each in used if each in limits][:MOST_SHOWN]:
            numbers, limit = used[label], limits[label][max(limits[label])]
            yield Resource(
                kind=name,
                label=printable(label),
                ratio=round(numbers[max(numbers)] / limit, 4) if limit else 0.0,
                known_seconds=float(STEP_SECONDS * (max(numbers) - min(numbers))),
                full=forecast(numbers, limit),
            )


def judge(view: View[Facts], params: Params) -> Iterable[Finding]:
    """Warn of each resource that will be full soon, even at the latest that is forecast."""
    found = view.facts.resources
    if not found:
        summary = "the history has no numbers of cn=Monitor: none yet, or the server shows none"
        yield view.finding(State.OK, "collecting", summary)
        return
    ends = [(each, each.full) for each in found if each.full is not None]
    soon = [end for end in ends if _is_soon(end[1], params)]
    for resource, when in soon:
        summary, metrics = _sentence(resource, when), (_metric(resource, when),)
        yield view.finding(State.WARNING, "full_soon", summary, metrics, Trust.INFORMATIVE)
    if not soon:
        known = min(each.known_seconds for each in found)
        summary = "; ".join(_sentence(*end) for end in ends) or _calm_sentence(known)
        yield view.finding(State.OK, "ok", summary, [_metric(*end) for end in ends])


def _is_soon(when: Forecast, params: Params) -> bool:
    """Return whether the whole interval is within the time in which a warning is given."""
    latest = when.latest_seconds
    return latest is not None and latest <= params.warning_days * DAY_SECONDS


def _sentence(resource: Resource, when: Forecast) -> str:
    kind = KINDS[resource.kind]
    what = kind.is_full.format(label=resource.label).replace("  ", " ")
    share = f"{resource.ratio:.0%} of {kind.parts} are in use"
    if when.latest_seconds == 0:
        return f"{what}: {share}"
    return f"{what} {when}, if use grows as before; now {share}"


def _calm_sentence(known_seconds: float) -> str:
    if known_seconds < LEAST_STEPS * STEP_SECONDS:
        return f"a forecast needs a week of history; there is {one_unit(known_seconds)}"
    return f"nothing will be full within {one_unit(known_seconds / MOST_PART)}, as use was before"


def _metric(resource: Resource, when: Forecast) -> Metric:
    label = f"{resource.kind} {resource.label}".rstrip()
    return Metric("forecast_full_seconds", when.likely_seconds, label=label)


CHECK = Check(
    name="forecast",
    params=Params,
    facts=Facts,
    survey=survey,
    judge=judge,
    of_one_server=True,
    judged_settings=("warning_days",),
    single_because="the history has these numbers of a server once",
)
