"""What `ldaphealth report` reads of a period: from the agent, its history, and its journal.

The questions are those of other commands, so a report says what they say, also while no agent runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from itertools import islice
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from msgspec import Struct

from ldaphealth.cli.options import AgentPlace
from ldaphealth.cli.past_changes import past_availability, past_changes, past_times
from ldaphealth.cli.past_explanation import journal_of
from ldaphealth.cli.past_incidents import incidents_of
from ldaphealth.cli.past_outages import ReportStage, outage_details, times_request
from ldaphealth.clocks import EpochSeconds
from ldaphealth.control.requests import AvailabilityRequest, HistoryRequest

if TYPE_CHECKING:
    from ldaphealth.report.period import ReportPeriod

PAGE = 1000  # changes in one answer of the agent
MOST_CHANGES = 20_000
MILLISECOND = 0.001  # to which the history prints moments
USUAL_CHECKS = ("search", "bind")
MOST_CHECKS = 3
MOST_COLUMNS = 60  # of a plot
MINUTE_SECONDS = 60
MOST_OUTAGES = 20
T = TypeVar("T")


class ReportRange(Struct, frozen=True, kw_only=True):
    """What a report is of. `file` has incidents, in place of those that the agent keeps."""

    target: str
    since: EpochSeconds
    until: EpochSeconds
    file: Path | None = None
    has_observations: bool = True


def past_report(place: AgentPlace, wanted: ReportRange, stage: ReportStage) -> dict[str, Any]:
    """Return the document of a report; click.ClickException if there is no history."""
    from ldaphealth.report.document import period_document
    from ldaphealth.report.outages import most_important, outages_of

    gathered = _gathered(place, wanted, stage)
    outages = outages_of(gathered)
    shown = most_important(outages, MOST_OUTAGES)
    details = outage_details(place, shown, stage, has_observations=wanted.has_observations)
    return period_document(gathered, outages, details)


def _gathered(place: AgentPlace, wanted: ReportRange, stage: ReportStage) -> ReportPeriod:
    from ldaphealth.history.incident import within_period
    from ldaphealth.report.period import ReportPeriod

    changes, read_since = _changes(place, wanted)
    availability = past_availability(
        place, AvailabilityRequest(wanted.target, wanted.since, wanted.until)
    )
    problems: list[str] = []
    incidents = _or_problem(lambda: incidents_of(place, wanted.target, wanted.file), problems)
    stage.text = "reading the journal"
    starts = _or_problem(lambda: _starts(place, wanted), problems)
    stage.text = "reading the times"
    found = within_period(incidents or (), wanted.target, wanted.since, wanted.until)
    return ReportPeriod(
        target=wanted.target,
        since=wanted.since,
        until=wanted.until,
        changes=changes,
        read_since=read_since,
        before=_before(place, availability, max(wanted.since, read_since)),
        availability=availability,
        incidents=found,
        times=_times(place, wanted, availability),
        starts=starts or (),
        problems=problems,
    )


def _changes(
    place: AgentPlace, wanted: ReportRange
) -> tuple[list[Mapping[str, Any]], EpochSeconds]:
    """Return the changes of the period, oldest first, and since when they are all there."""
    from ldaphealth.report.period import at_of

    found: list[Mapping[str, Any]] = []
    until = wanted.until
    while len(found) < MOST_CHANGES:
        page = past_changes(place, HistoryRequest(wanted.target, PAGE, until))
        seen = [each for each in found if at_of(each) <= until]  # the page begins with them
        new = [each for each in page if each not in seen]
        found += new
        if len(page) < PAGE or not new or at_of(found[-1]) < wanted.since:
            return [each for each in reversed(found) if at_of(each) >= wanted.since], wanted.since
        until = at_of(found[-1]) + MILLISECOND
    return [*reversed(found)], at_of(found[-1])


def _before(
    place: AgentPlace, availability: Mapping[str, Any], since: EpochSeconds
) -> dict[str, Mapping[str, Any]]:
    """Return by server the change that was in force at a moment."""
    servers = [each["server"] for each in availability["servers"]]
    found = (past_changes(place, HistoryRequest(each, 1, since - MILLISECOND)) for each in servers)
    return {server: each[0] for server, each in zip(servers, found, strict=True) if each}


def _times(
    place: AgentPlace, wanted: ReportRange, availability: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return the times of the checks that removed servers most often, and of the usual ones."""
    causes: Counter[str] = Counter()
    for each in availability["servers"]:
        causes.update(each["removals"])
    checks = [code.partition(".")[0] for code, _ in causes.most_common() if "." in code]
    known = max((each["known_seconds"] for each in availability["servers"]), default=0.0)
    since = max(wanted.since, wanted.until - known - MINUTE_SECONDS)
    minutes = ceil((wanted.until - since) / MINUTE_SECONDS / MOST_COLUMNS)
    requests = (
        times_request(wanted.target, check, since, wanted.until, minutes)
        for check in dict.fromkeys([*checks, *USUAL_CHECKS])
    )
    found = (past_times(place, each) for each in requests)
    return [*islice((each for each in found if each["servers"]), MOST_CHECKS)]


def _starts(place: AgentPlace, wanted: ReportRange) -> list[dict[str, Any]]:
    """Return what the journal shows of the agent; click.ClickException: it cannot be read."""
    from ldaphealth.agent.journal_starts import journal_starts, starts_document
    from ldaphealth.checks import find

    journal = journal_of(place)
    named = wanted.target.partition("/")[0]
    found = (
        each
        for cluster, segments in journal.items()
        if named in ("", cluster)
        for each in journal_starts(segments, find, wanted.since, wanted.until)
    )
    return starts_document(found)


def _or_problem(read: Callable[[], T], problems: list[str]) -> T | None:
    """Return what is read; None if it cannot be, and one sentence more."""
    try:
        return read()
    except click.ClickException as error:
        problems.append(error.message)
        return None
