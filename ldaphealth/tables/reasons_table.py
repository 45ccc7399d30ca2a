"""The list of reason codes for a terminal; `ldaphealth reasons` calls it."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from ldaphealth.reason_codes import ReasonCode


def render_reasons(rows: Iterable[ReasonCode]) -> Table:
    """Return the list, for terminal.py; of each meaning the first sentence."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for heading in ("CODE", "STATE", "REMOVES", "MEANS"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "CODE")
    for row in rows:
        states = "\n".join(each.name for each in row.states)
        removes = "\n".join(row.removes.split(", "))
        table.add_row(Text(row.code, "bold"), states, removes, Text(row.means.partition(". ")[0]))
    return table
