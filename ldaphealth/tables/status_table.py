"""The status of the agent as a table: the verdicts, what holds them, and the agent itself.

`ldaphealth status` calls it with the document from the agent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from ldaphealth.text.duration import duration
from ldaphealth.text.printable import printable
from ldaphealth.text.quantity import quantity

STYLES = {"OK": "green", "WARNING": "yellow", "CRITICAL": "red", "UNKNOWN": "cyan"}


def render_status(document: Mapping[str, Any]) -> Group:
    """Return the table and its summary, for terminal.py."""
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
    in_service = sum(
        each["in_service"] and each["server"] in fresh for each in document["verdicts"]
    )
    total = len(document["verdicts"])
    style = "bold green" if in_service == total else "bold red"
    agent = document["agent"]
    about_agent = (
        f"agent {agent['version']}, up {duration(agent['up_seconds'])}, "
        f"{quantity(agent['servers'], 'server')}, {quantity(agent['rounds'], 'round')}, "
        f"{agent['overruns']} late, "
        f"{agent['busy']} of {quantity(agent['threads'], 'thread')} busy, "
        f"{quantity(agent['waiting'], 'probe')} waiting"
    )
    listens = document.get("listens", {})
    where = ", ".join(f"{address} ({service})" for service, address in listens.items())
    last = [Text(printable(f"listens on {where}"))] if where else []
    count = Text(f"{in_service} of {quantity(total, 'server')} in service", style)
    floors = [
        Text(printable(each["summary"]), "bold red") for each in document.get("below_floor", ())
    ]
    failed = agent.get("reload_failure")
    config = [Text(printable(failed, 400), "bold yellow")] if failed else []
    return Group(rows, "", count, *floors, *config, Text(about_agent), *last)


def _side(verdict: Mapping[str, Any], is_fresh: bool) -> Text:
    if not is_fresh:
        return Text("no fresh verdict", "bold red")
    if verdict["in_service"]:
        return Text("in service", "green")
    return Text("draining" if verdict["draining"] else "OUT", "bold red")


def _held(verdict: Mapping[str, Any], overrides: Mapping[str, Any]) -> Text:
    override = overrides.get(verdict["server"])
    if override is None:
        return Text(printable(verdict["held_by"]), "bold")
    left = duration(override["left_seconds"])
    held = printable(verdict["held_by"])
    return Text(
        f"{held} ({override['will']}, {left} left): {printable(override['reason'])}", "bold"
    )


def _why(verdict: Mapping[str, Any]) -> Text:
    return Text("\n").join(
        Text.assemble(
            (printable(reason["code"]), STYLES[reason["state"]]),
            f": {printable(reason['summary'])}",
        )
        for reason in verdict["reasons"]
    )
