"""The availability of servers and clusters as a table; `ldaphealth history --availability`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Group
from rich.text import Text

from ldaphealth.tables.rows import Row, Rows
from ldaphealth.text.duration import rounded_duration
from ldaphealth.text.number import percent
from ldaphealth.text.printable import printable

HEADINGS = ("", "IN SERVICE", "OUT FOR", "OUTAGES", "LONGEST")
NONE = "-"


def render_availability(document: Mapping[str, Any]) -> Group:
    """Return the table, for terminal.py; clusters stand below their servers."""
    rows = [_row(each["server"], each) for each in document["servers"]]
    rows += [
        _row(f"{each['cluster']} (at least {each['min_in_service']})", each)
        for each in document["clusters"]
    ]
    period = Text(f"{document['since']} to {document['until']}")
    if not rows:
        return Group(period, Text("the history has no verdict of this period"))
    return Group(period, "", Rows(HEADINGS, rows, right=frozenset(HEADINGS[1:4])))


def _row(name: str, found: Mapping[str, Any]) -> Row:
    longest = found["longest_outage"]
    cells = (
        printable(name),
        percent(found["in_service_ratio"]),
        rounded_duration(found["out_seconds"]) if found["outages"] else NONE,
        str(found["outages"]),
        rounded_duration(longest["seconds"]) if longest else NONE,
    )
    return Row((Text(cells[0], "bold"), *map(Text, cells[1:])), [*_details(found)])


def _details(found: Mapping[str, Any]) -> Iterator[Text]:
    longest = found["longest_outage"]
    if longest:
        ongoing = "" if longest["has_ended"] else ", and still is"
        why = f" ({', '.join(longest['causes'])})" if longest["causes"] else ""
        yield Text(printable(f"longest: out since {longest['began']}{ongoing}{why}"))
    if found["removals"]:
        counts = (f"{cause} {count}" for cause, count in found["removals"].items())
        yield Text(printable(f"removed by: {', '.join(counts)}"))
