"""The first lines of a report: what a reader needs who reads no further."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ldaphealth.history.availability import OPERATOR
from ldaphealth.report.verdict_words import causes_words
from ldaphealth.text.duration import rounded_duration
from ldaphealth.text.listed import listed
from ldaphealth.text.markdown import code_span, inline
from ldaphealth.text.moment import epoch_of, moment
from ldaphealth.text.quantity import quantity

MOST_NAMES = 8
LEAST_UNKNOWN_SECONDS = 60.0


def summary_lines(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield one paragraph, a sentence a line."""
    servers = report["availability"]["servers"]
    if not servers:
        yield "The history has no verdict of this period."
        return
    yield f"{quantity(len(servers), 'server')}, {_outages(report, servers)}"
    if now := [each["server"] for each in report["outages"] if each["ended"] is None]:
        yield f"Out of service at the end: {listed([*map(code_span, now)], MOST_NAMES)}."
    yield from _clusters(report)
    since, until = (epoch_of(report[key]) for key in ("since", "until"))
    known = max(each["known_seconds"] for each in servers)
    if until - since - known > LEAST_UNKNOWN_SECONDS:
        yield f"The first verdict is of {moment(until - known)}; before, nothing is known."
    counts = {
        "incidents marked": len(report["incidents"]),
        "overrides": len(report["overrides"]),
        "times that the guard held a verdict": sum(each["times"] for each in report["held"]),
        "starts of the agent": sum(each["is_start"] for each in report["starts"]),
    }
    if found := [f"{words}: {count}" for words, count in counts.items() if count]:
        yield f"{'; '.join(found).capitalize()}."


def _outages(report: Mapping[str, Any], servers: Sequence[Mapping[str, Any]]) -> str:
    """Return how many outages there were, and the longest, if possible one without an order."""
    count = sum(each["outages"] for each in servers)
    if not count:
        return "none was out of service."
    hit = sum(bool(each["outages"]) for each in servers)
    ordered = sum(each["removals"].get(OPERATOR, 0) for each in servers)
    text = f"{quantity(count, 'outage')} on {hit} of them"
    if ordered:
        text += f" ({ordered} ordered by operators)"
    longest = max(
        report["outages"],
        key=lambda each: (OPERATOR not in each["causes"], each["seconds"]),
        default=None,
    )
    if longest is None:
        return f"{text}."
    causes = f" ({inline(causes_words(longest['causes']))})" if longest["causes"] else ""
    lasted = rounded_duration(longest["seconds"])
    return f"{text}; the longest: {code_span(longest['server'])} for {lasted}{causes}."


def _clusters(report: Mapping[str, Any]) -> Iterator[str]:
    for each in report["availability"]["clusters"]:
        if each["outages"]:
            lasted = rounded_duration(each["out_seconds"])
            yield (
                f"{code_span(each['cluster'])} had fewer than "
                f"{quantity(each['min_in_service'], 'server')} in service for {lasted}."
            )
