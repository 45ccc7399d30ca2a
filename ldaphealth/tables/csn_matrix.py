"""A table of servers and server IDs: which server has which changes, and how late it is.

`ldaphealth csn watch` calls it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from ldaphealth.text.duration import duration
from ldaphealth.text.printable import printable

LEGEND = (
    "A cell shows the age of the newest change of that server ID that the server has, by the clock "
    "of the server that made the change. A gap is the time between two writes. Delays are shown "
    "from the second probe on. PHASE is the phase of the links by which the server receives "
    "changes (RFC 4533)."
)


def render_matrix(matrix: Mapping[str, Any]) -> Group:
    """Return the table and its legend, for terminal.py."""
    rows = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    rows.add_column("SERVER", overflow="fold")
    for sid in matrix["server_ids"]:
        rows.add_column(f"ID {sid}", overflow="fold")
    rows.add_column("PHASE", overflow="fold")
    rows.add_column("STATE", overflow="fold")
    for each in matrix["servers"]:
        cells = [_cell(each["positions"].get(sid)) for sid in matrix["server_ids"]]
        failure = Text(printable(each["trouble"]), "red")
        if each["trouble"]:
            cells = [Text("-")] * len(cells)
        phase = Text("-") if each["trouble"] else _phase(each["phase"])
        rows.add_row(
            Text(each["server"], "bold"), *cells, phase, failure or _worst(each["positions"])
        )
    return Group(rows, "", Text(LEGEND))


def _cell(position: Mapping[str, Any] | None) -> Text:
    if position is None:
        return Text("none", "bold red")
    age = duration(max(0.0, position["age_seconds"]))
    for state in ("behind", "isolated", "split"):
        seconds = position[f"{state}_seconds"]
        if seconds > 0:
            return Text(f"{age}, {state} {seconds:.1f} s", "bold red")
    if position["gap_seconds"] > 0:
        return Text(f"{age}, gap {position['gap_seconds']:.1f} s", "yellow")
    return Text(age, "green")


def _phase(phase: str) -> Text:
    """Return the phase that slapd reports for its links; a broken link may show in no change."""
    if not phase:
        return Text("-")
    return Text(printable(phase), "green" if phase in ("Persist", "waiting") else "yellow")


def _worst(positions: Mapping[str, Mapping[str, Any]]) -> Text:
    for state in ("behind", "isolated", "split"):
        sids = [sid for sid, each in positions.items() if each[f"{state}_seconds"] > 0]
        if sids:
            return Text(f"{state} in ID {', '.join(sids)}", "bold red")
    if any(each["gap_seconds"] > 0 for each in positions.values()):
        return Text("a change is on its way", "yellow")
    return Text("level", "green")
