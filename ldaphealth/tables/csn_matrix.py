"""A table of servers and server IDs: which server has which changes, and how late it is.

`ldaphealth csn watch` calls it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Group
from rich.text import Text

from ldaphealth.tables.rows import Row, Rows
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
    has_bases = len(matrix["bases"]) > 1
    headings = (
        "SERVER",
        *(["BASE"] if has_bases else []),
        *(f"ID {sid}" for sid in matrix["server_ids"]),
        "PHASE",
        "STATE",
    )
    rows = [
        _row(each, matrix["server_ids"], has_bases=has_bases)
        for each in sorted(matrix["servers"], key=_rank)
    ]
    return Group(Rows(headings, rows), "", Text(LEGEND))


def _row(row: Mapping[str, Any], server_ids: Iterable[str], *, has_bases: bool) -> Row:
    cells = [_cell(row["positions"].get(sid)) for sid in server_ids]
    name = Text(row["server"], "bold")
    base = [Text(printable(row["base"]))] if has_bases else []
    if row["trouble"]:
        empty = [Text("-")] * (len(cells) + 1)
        failure = Text(printable(row["trouble"]), "red")
        return Row((name, *base, *empty, Text("no answer", "bold red")), [failure])
    word, details = _state(row)
    return Row((name, *base, *cells, _phase(row["phase"]), word), details)


def _rank(row: Mapping[str, Any]) -> int:
    """Return a sort key: the worst first, and of equals the first of the configuration."""
    if row["trouble"]:
        return 0
    state = row["state"]
    return 1 if state not in CALM else [*CALM].index(state) + 2


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
    "lacking": ("lacks changes", "yellow", "lacks what an isolated server or another side has"),
    "coming": ("on its way", "yellow", "a change is on its way"),
    "level": ("level", "green", ""),
}


def _state(row: Mapping[str, Any]) -> tuple[Text, list[Text]]:
    """Return the state of a server, and below it the server IDs and the sides of a split."""
    state = row["state"]
    if state in CALM:
        word, style, sentence = CALM[state]
        return Text(word, style), [Text(sentence)] if sentence else []
    sids = [sid for sid, each in row["positions"].items() if each[f"{state}_seconds"] > 0]
    sides = " | ".join(", ".join(side) for side in row["sides"]) if state == "split" else ""
    sentence = f"{state} in ID {', '.join(sids)}" + (f": {sides}" if sides else "")
    return Text(state, "bold red"), [Text(sentence, "red")]
