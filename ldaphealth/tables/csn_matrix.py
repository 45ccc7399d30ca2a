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
    has_bases = len(matrix["bases"]) > 1
    if has_bases:
        rows.add_column("BASE", overflow="fold")
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
            Text(each["server"], "bold"),
            *([Text(printable(each["base"]))] if has_bases else []),
            *cells,
            phase,
            failure or _state(each),
        )
    return Group(rows, "", Text(LEGEND))


def _cell(position: Mapping[str, Any] | None) -> Text:
    if position is None:
        return Text("none", "bold red")
    csn_age = position["age_seconds"]
    age = "none" if csn_age is None else duration(max(0.0, csn_age))
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


CALM = {
    "lacking": ("lacks what an isolated server or another side has", "yellow"),
    "coming": ("a change is on its way", "yellow"),
    "level": ("level", "green"),
}


def _state(row: Mapping[str, Any]) -> Text:
    """Return the state of a server, with the server IDs and the sides of a split."""
    state = row["state"]
    if state in CALM:
        return Text(*CALM[state])
    sids = [sid for sid, each in row["positions"].items() if each[f"{state}_seconds"] > 0]
    sides = " | ".join(", ".join(side) for side in row["sides"]) if state == "split" else ""
    return Text(f"{state} in ID {', '.join(sids)}" + (f": {sides}" if sides else ""), "bold red")
