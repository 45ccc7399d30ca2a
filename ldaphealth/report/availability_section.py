"""The availability of a report as a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ldaphealth.text.duration import rounded_duration
from ldaphealth.text.markdown import cell, table
from ldaphealth.text.number import percent

HEADINGS = ("server or cluster", "removed by", "in service", "out for", "outages", "longest")
NUMBERS = 2  # the first column with numbers
MOST_ROWS = 100


def availability_lines(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield a row for each cluster and its servers, those first that were out for longest."""
    found = report["availability"]
    clusters = [
        _row(f"{each['cluster']} (at least {each['min_in_service']})", each)
        for each in found["clusters"]
    ]
    worst_first = sorted(found["servers"], key=lambda each: -each["out_seconds"])
    servers = [_row(each["server"], each) for each in worst_first[:MOST_ROWS]]
    if clusters or servers:
        yield from table(HEADINGS, [*clusters, *servers], NUMBERS)
    if (more := len(worst_first) - MOST_ROWS) > 0:
        yield from ["", f"Left out: {more} more servers, which were out for less or not at all."]


def _row(name: str, found: Mapping[str, Any]) -> list[str]:
    longest = found["longest_outage"]
    removals = ", ".join(f"{cause} {count}" for cause, count in found["removals"].items())
    return [
        cell(name),
        cell(removals),
        percent(found["in_service_ratio"]),
        rounded_duration(found["out_seconds"]) if found["outages"] else "-",
        str(found["outages"]),
        rounded_duration(longest["seconds"]) if longest else "-",
    ]
