"""The agent's status for people: the verdicts with what holds them and for how long, and itself.

`ldaphealth status` calls it with the document that the agent sent.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from io import StringIO
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ldaphealth.printable import printable

STYLES = {"OK": "green", "WARNING": "yellow", "CRITICAL": "red", "UNKNOWN": "cyan"}
LEAST_WIDTH = 40
UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


def table(document: Mapping[str, Any], width: int, colour: bool) -> str:
    """Return the status as text of that width."""
    out = StringIO()
    console = Console(
        file=out, width=max(width, LEAST_WIDTH), height=25, highlight=False, emoji=False,
        markup=False, no_color=not colour, force_terminal=colour,
        color_system="standard" if colour else None,
    )  # fmt: skip
    console.print(_drawn(document))
    return "\n".join(line.rstrip() for line in out.getvalue().split("\n")).rstrip("\n")


def watched(status: Callable[[], Mapping[str, Any]], every_seconds: float) -> None:
    """Show the status anew and anew, until KeyboardInterrupt."""
    with Live(_drawn(status()), auto_refresh=False, screen=True) as live:
        while True:
            live.update(_drawn(status()), refresh=True)
            time.sleep(every_seconds)


def _drawn(document: Mapping[str, Any]) -> Group:
    rows = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for heading in ("SERVER", "VERDICT", "FOR", "WEIGHT", "HELD BY", "WHY"):
        rows.add_column(
            heading, justify="right" if heading == "WEIGHT" else "left", overflow="fold",
            no_wrap=heading in ("VERDICT", "FOR"),
        )  # fmt: skip
    for verdict in document["verdicts"]:
        rows.add_row(
            Text(verdict["server"], "bold"), _side(verdict), ago(verdict["lasted_seconds"]),
            str(verdict["weight"]), _held(verdict, document["overrides"]), _why(verdict),
        )  # fmt: skip
    serving = sum(verdict["in_service"] for verdict in document["verdicts"])
    whole = len(document["verdicts"])
    style = "bold green" if serving == whole else "bold red"
    ours = document["agent"]
    itself = (
        f"agent {ours['version']}, up {ago(ours['up_seconds'])}, {ours['servers']} servers, "
        f"{ours['rounds']} rounds, {ours['overruns']} late, {ours['in_flight']} under way"
    )
    return Group(rows, "", Text(f"{serving} of {whole} servers in service", style), Text(itself))


def ago(seconds: float) -> str:
    """Return a time in its largest unit and the next: `3 h 12 min`."""
    rest, parts = int(seconds), []
    for unit, size in UNITS:
        amount, rest = divmod(rest, size)
        if amount:
            parts.append(f"{amount} {unit}")
    return " ".join(parts[:2]) or "0 s"


def _side(verdict: Mapping[str, Any]) -> Text:
    if verdict["in_service"]:
        return Text("in service", "green")
    return Text("drained" if verdict["draining"] else "OUT", "bold red")


def _held(verdict: Mapping[str, Any], overrides: Mapping[str, Any]) -> Text:
    word = overrides.get(verdict["server"])
    if word is None:
        return Text(printable(verdict["held_by"]), "bold")
    left = ago(word["left_seconds"])
    return Text(f"override ({word['will']}, {left} left): {printable(word['reason'])}", "bold")


def _why(verdict: Mapping[str, Any]) -> Text:
    return Text("\n").join(
        Text.assemble(
            (printable(reason["code"]), STYLES[reason["state"]]),
            f": {printable(reason['summary'])}",
        )
        for reason in verdict["reasons"]
    )
