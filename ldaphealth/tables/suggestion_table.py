"""Thresholds of one setting from strict to lenient, with their price; `backtest --suggest`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group
from rich.text import Text

from ldaphealth.tables.backtest_table import heading_lines
from ldaphealth.tables.rows import Row, Rows
from ldaphealth.text.duration import rounded_duration
from ldaphealth.text.printable import printable
from ldaphealth.text.quantity import quantity

HEADINGS = ("WARNING", "CRITICAL", "REMOVALS", "OUTSIDE", "FOR", "FOUND", "FOUND BY CRITICAL")
NONE = "-"


def render_suggestion(document: Mapping[str, Any]) -> Group:
    """Return a row for each pair of thresholds, and a sentence on the best, for terminal.py.

    OUTSIDE are the removals that were in no incident.
    """
    rows = [_row(each, document) for each in document["candidates"]]
    parts = [*heading_lines(document), Text(""), Text(printable(document["setting"]), "bold")]
    return Group(
        *parts, Rows(HEADINGS, rows, right=frozenset(HEADINGS[2:])), Text(""), Text(_best(document))
    )


def _row(candidate: Mapping[str, Any], document: Mapping[str, Any]) -> Row:
    removals, critical = candidate["out_of_service"], candidate["critical"]
    count = len(document["incidents"])
    score = removals["score"]
    cells = (
        candidate["warning"] or NONE,
        (candidate["critical_above"] or NONE) + (" (now)" if candidate["is_now"] else ""),
        str(removals["outages"]),
        str(removals["outages"] - score["in_incidents"]) if score else NONE,
        rounded_duration(removals["seconds"]) if removals["seconds"] else NONE,
        f"{score['found']} of {count}" if score else NONE,
        f"{critical['score']['found']} of {count}" if score else NONE,
    )
    return Row([*map(Text, map(printable, cells))])


def _best(document: Mapping[str, Any]) -> str:
    """Return such as `critical 1.2: 0 removals outside of incidents, 4 of 5 incidents found`."""
    best = document["candidates"][document["suggested"]]
    limits = ", ".join(
        f"{name} {best[key]}"
        for name, key in (("warning", "warning"), ("critical", "critical_above"))
        if best[key]
    )
    removals, score = best["out_of_service"], best["critical"]["score"]
    if score is None:
        count = quantity(removals["outages"], "removal")
        words = f"{count}; mark incidents to see what each one finds"
    else:
        outside = removals["outages"] - removals["score"]["in_incidents"]
        words = (
            f"{quantity(outside, 'removal')} outside of incidents, {score['found']} of "
            f"{quantity(len(document['incidents']), 'incident')} found"
        )
    unchanged = ", as now" if best["is_now"] else ""
    return printable(f"suggested: {limits}{unchanged}: {words}")
