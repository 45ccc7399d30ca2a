"""What a number of servers was, as plots and a table, and as CSV; `ldaphealth history --number`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from ldaphealth.tables.rows import Row, Rows
from ldaphealth.tables.times_table import plot
from ldaphealth.text.duration import duration, rounded_duration
from ldaphealth.text.printable import printable
from ldaphealth.text.sparkline import ASCII_BLOCKS, BLOCKS

NUMBERS = ("mean", "least", "most", "last")
HEADINGS = tuple(each.upper() for each in NUMBERS)


def render_numbers(document: Mapping[str, Any], *, ascii_only: bool = False) -> Group:
    """Return a row and a plot for each server and label, for terminal.py; of one also the periods.

    All plots have the same scale, which begins at 0.
    """
    whole = f"{document['number']} by {duration(document['by_seconds'])}"
    head = Text(printable(f"{whole}, {document['since']} to {document['until']}"))
    about = Text(printable(f"{document['means']}"))
    found = [(of["server"], each) for of in document["servers"] for each in of["numbers"]]
    if not found:
        return Group(head, about, Text("the history does not have this number in this period"))
    shows, unit = document["shows"], document["unit"]
    most = max(period[shows] for _, each in found for period in each["periods"])
    blocks = ASCII_BLOCKS if ascii_only else BLOCKS
    pick = min if shows == "least" else max
    rows = [
        Row(
            (Text(printable(f"{server} {each['label']}".rstrip()), "bold"), *_cells(each, unit)),
            [Text(plot(each["periods"], most, blocks, name=shows, pick=pick))],
        )
        for server, each in found
    ]
    table = Rows(("SERVER", *HEADINGS), rows, right=frozenset(HEADINGS), spare=("LEAST", "MEAN"))
    scale = Text(f"plots: the {shows} of each period, from 0 to {_text(most, unit)}, oldest first")
    parts: list[RenderableType] = [head, about, "", table, scale]
    if len(found) == 1:
        periods = [
            Row((Text(each["start"]), Text(duration(each["seconds"])), *_cells(each, unit)))
            for each in found[0][1]["periods"]
        ]
        parts += ["", Rows(("FROM", "FOR", *HEADINGS), periods, right=frozenset(HEADINGS))]
    return Group(*parts)


def numbers_csv(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield a heading, and a line for each server, label and period (RFC 4180)."""
    yield ",".join(("server", "label", "start", "seconds", "count", *NUMBERS))
    for of in document["servers"]:
        for each in of["numbers"]:
            label = each["label"].replace('"', '""')
            for period in each["periods"]:
                numbers = (f"{period[name]:.10g}" for name in NUMBERS)
                cells = (period["start"], period["seconds"], period["count"], *numbers)
                yield ",".join((of["server"], f'"{label}"', *map(str, cells)))


def _cells(found: Mapping[str, Any], unit: str) -> tuple[Text, ...]:
    return tuple(Text(_text(found[name], unit)) for name in NUMBERS)


def _text(number: float, unit: str) -> str:
    """Return a number with its unit, whole ones without decimals."""
    if unit == "seconds":
        return rounded_duration(number) if number else "0 s"
    return f"{number:.0f}" if number.is_integer() or number >= 100 else f"{number:.1f}"  # noqa: PLR2004
