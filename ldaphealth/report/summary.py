"""The first lines of a report: what a reader needs who reads no further."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from ldaphealth.report.verdict_words import causes_words
from ldaphealth.text.duration import rounded_duration
from ldaphealth.text.listed import listed
from ldaphealth.text.markdown import code_span, inline
from ldaphealth.text.moment import moment
from ldaphealth.text.quantity import quantity

MOST_NAMES = 8
LEAST_UNKNOWN_SECONDS = 60.0


def summary_lines(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield one paragraph, a sentence a line."""
    servers = report["availability"]["servers"]
    if not servers:
        yield "The history has no verdict of this period."
        return
    yield f"{quantity(len(servers), 'server')}, {_outages(servers)}"
    if now := [each["server"] for each in report["outages"] if each["ended"] is None]:
        yield f"Out of service at the end: {listed([*map(code_span, now)], MOST_NAMES)}."
    yield from _clusters(report)
    since, until = (datetime.fromisoformat(report[key]).timestamp() for key in ("since", "until"))
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


def _outages(servers: list[Mapping[str, Any]]) -> str:
    """Return how many outages there were, and the longest."""
    count = sum(each["outages"] for each in servers)
    if not count:
        return "none was out of service."
    hit = sum(bool(each["outages"]) for each in servers)
    text = f"{quantity(count, 'outage')} on {hit} of them"
    longest = max(servers, key=lambda each: (each["longest_outage"] or {}).get("seconds", 0.0))
    found = longest["longest_outage"]
    causes = inline(causes_words(found["causes"])) if found["causes"] else ""
    why = f" ({causes})" if causes else ""
    lasted = rounded_duration(found["seconds"])
    return f"{text}; the longest: {code_span(longest['server'])} for {lasted}{why}."


def _clusters(report: Mapping[str, Any]) -> Iterator[str]:
    for each in report["availability"]["clusters"]:
        if each["outages"]:
            lasted = rounded_duration(each["out_seconds"])
            yield (
                f"{code_span(each['cluster'])} had fewer than "
                f"{quantity(each['min_in_service'], 'server')} in service for {lasted}."
            )
