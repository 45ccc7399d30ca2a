"""Servers against server IDs, for people who watch replication: who has what, and since when not.

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
    "A cell says how long ago the newest change of that server ID was made that the server has, by "
    "the clock of the server that made it; a gap is the time between two writes. A delay is told "
    "from the second look on. PHASE is that of the links by which the server receives (RFC 4533)."
)


def drawn_matrix(matrix: Mapping[str, Any]) -> Group:
    """Return it, to be shown by terminal.py."""
    rows = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    rows.add_column("SERVER", overflow="fold")
    for sid in matrix["server_ids"]:
        rows.add_column(f"ID {sid}", overflow="fold")
    rows.add_column("PHASE", overflow="fold")
    rows.add_column("SAYS", overflow="fold")
    for each in matrix["servers"]:
        cells = [_cell(each["positions"].get(sid)) for sid in matrix["server_ids"]]
        trouble = Text(printable(each["trouble"]), "red")
        if each["trouble"]:
            cells = [Text("-")] * len(cells)
        phase = Text("-") if each["trouble"] else _phase(each["phase"])
        rows.add_row(
            Text(each["server"], "bold"), *cells, phase, trouble or _worst(each["positions"])
        )
    return Group(rows, "", Text(LEGEND))


def _cell(position: Mapping[str, Any] | None) -> Text:
    if position is None:
        return Text("none", "bold red")
    age = duration(max(0.0, position["age_seconds"]))
    for word in ("behind", "isolated", "split"):
        seconds = position[f"{word}_seconds"]
        if seconds > 0:
            return Text(f"{age}, {word} {seconds:.1f} s", "bold red")
    if position["gap_seconds"] > 0:
        return Text(f"{age}, gap {position['gap_seconds']:.1f} s", "yellow")
    return Text(age, "green")


def _phase(phase: str) -> Text:
    """Tell what slapd says of its own links: what is wrong with one may not show in any change."""
    if not phase:
        return Text("-")
    return Text(printable(phase), "green" if phase in ("Persist", "waiting") else "yellow")


def _worst(positions: Mapping[str, Mapping[str, Any]]) -> Text:
    for word in ("behind", "isolated", "split"):
        sids = [sid for sid, each in positions.items() if each[f"{word}_seconds"] > 0]
        if sids:
            return Text(f"{word} in ID {', '.join(sids)}", "bold red")
    if any(each["gap_seconds"] > 0 for each in positions.values()):
        return Text("a change is on its way", "yellow")
    return Text("level", "green")
