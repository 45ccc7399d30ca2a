"""The agent's status for people: the verdicts with what holds them and for how long, and itself.

`ldaphealth status` calls it with the document that the agent sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from ldaphealth.text.duration import duration
from ldaphealth.text.printable import printable

STYLES = {"OK": "green", "WARNING": "yellow", "CRITICAL": "red", "UNKNOWN": "cyan"}


def drawn_status(document: Mapping[str, Any]) -> Group:
    """Return it, to be shown by terminal.py."""
    rows = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for heading in ("SERVER", "VERDICT", "FOR", "WEIGHT", "HELD BY", "WHY"):
        rows.add_column(
            heading,
            justify="right" if heading == "WEIGHT" else "left",
            overflow="fold",
            no_wrap=heading in ("VERDICT", "FOR"),
        )
    fresh = {server for server, left in document["valid_seconds"].items() if left > 0}
    for verdict in document["verdicts"]:
        is_fresh = verdict["server"] in fresh
        rows.add_row(
            Text(verdict["server"], "bold"),
            _side(verdict, is_fresh),
            duration(verdict["lasted_seconds"]),
            str(verdict["weight"]),
            _held(verdict, document["overrides"]),
            _why(verdict),
        )
    serving = sum(each["in_service"] and each["server"] in fresh for each in document["verdicts"])
    whole = len(document["verdicts"])
    style = "bold green" if serving == whole else "bold red"
    ours = document["agent"]
    itself = (
        f"agent {ours['version']}, up {duration(ours['up_seconds'])}, {ours['servers']} servers, "
        f"{ours['rounds']} rounds, {ours['overruns']} late, "
        f"{ours['busy']} of {ours['threads']} threads busy, {ours['waiting']} looks waiting"
    )
    listens = document.get("listens", {})
    where = ", ".join(f"{place} ({what})" for what, place in listens.items())
    last = [Text(printable(f"answers at {where}"))] if where else []
    counted = Text(f"{serving} of {whole} servers in service", style)
    return Group(rows, "", counted, Text(itself), *last)


def _side(verdict: Mapping[str, Any], is_fresh: bool) -> Text:
    if not is_fresh:
        return Text("no fresh verdict", "bold red")
    if verdict["in_service"]:
        return Text("in service", "green")
    return Text("draining" if verdict["draining"] else "OUT", "bold red")


def _held(verdict: Mapping[str, Any], overrides: Mapping[str, Any]) -> Text:
    word = overrides.get(verdict["server"])
    if word is None:
        return Text(printable(verdict["held_by"]), "bold")
    left = duration(word["left_seconds"])
    held = printable(verdict["held_by"])
    return Text(f"{held} ({word['will']}, {left} left): {printable(word['reason'])}", "bold")


def _why(verdict: Mapping[str, Any]) -> Text:
    return Text("\n").join(
        Text.assemble(
            (printable(reason["code"]), STYLES[reason["state"]]),
            f": {printable(reason['summary'])}",
        )
        for reason in verdict["reasons"]
    )
