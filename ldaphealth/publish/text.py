"""The verdicts as a table for people.

The only file that draws; colour comes from the caller, and words carry the meaning without it.
"""

from __future__ import annotations

from io import StringIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ldaphealth.model import Snapshot, State, Verdict
from ldaphealth.printable import printable
from ldaphealth.publish import Options, Told, exit_status

STYLES = {State.OK: "green", State.WARNING: "yellow", State.CRITICAL: "red", State.UNKNOWN: "cyan"}


def tell(snapshot: Snapshot, options: Options) -> Told:
    """Draw the table, and one line that sums it up."""
    table = Table(box=None, pad_edge=False, header_style="bold" if options.colour else "")
    for heading in ("server", "verdict", "state", "weight", "why"):
        table.add_column(
            heading, overflow="fold", justify="right" if heading == "weight" else "left"
        )
    for verdict in snapshot.verdicts:
        table.add_row(*_row(verdict))
    out = StringIO()
    console = Console(
        file=out, width=options.width, force_terminal=options.colour, no_color=not options.colour,
        highlight=False,
    )  # fmt: skip
    console.print(table)
    console.print(Text(_sum(snapshot)))
    return Told(out.getvalue().rstrip("\n"), exit_status(snapshot))


def _row(verdict: Verdict) -> tuple[Text, ...]:
    words = "in service" if verdict.in_service else "OUT of service"
    style = STYLES[verdict.state] if verdict.in_service else STYLES[State.CRITICAL]
    why = "\n".join(f"{reason.code}: {printable(reason.summary)}" for reason in verdict.reasons)
    if verdict.held_by:
        why += f"\nkept in service by rule: {verdict.held_by}"
    return (
        Text(printable(verdict.server)),
        Text(words, style),
        Text(verdict.state.name, STYLES[verdict.state]),
        Text(str(verdict.weight)),
        Text(why),
    )


def _sum(snapshot: Snapshot) -> str:
    total, out = len(snapshot.verdicts), [v for v in snapshot.verdicts if not v.in_service]
    line = f"{total - len(out)} of {total} in service"
    names = ", ".join(
        f"{printable(v.server)} ({', '.join(reason.code for reason in v.reasons)})" for v in out
    )
    return f"{line}; out: {names}" if out else line
