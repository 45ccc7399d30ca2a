"""The verdicts as a table for people, readable without colour.

The command line calls it. Colour only repeats what the text states.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import isfinite

from msgspec import Struct
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from ldaphealth.guard import held_words
from ldaphealth.model import Finding, Metric, Snapshot, State, Verdict
from ldaphealth.sinks import SinkOptions, SinkOutput, exit_status
from ldaphealth.sinks.summary import (
    fails_like_the_others,
    first_cause,
    names,
    problems,
    remark,
    summary,
    worst_first,
)
from ldaphealth.tables.terminal import LEAST_WIDTH, as_text
from ldaphealth.text.command_template import LONGEST_REMEDY
from ldaphealth.text.printable import printable
from ldaphealth.text.quantity import plural_of

STYLES = {State.OK: "green", State.WARNING: "yellow", State.CRITICAL: "red", State.UNKNOWN: "cyan"}
NOT_PROVEN = (
    "all servers fail alike, so nothing is proven of any of them: the cause is more likely this "
    "host or its configuration, and only for that they count as in service"
)
NARROW = 90  # columns; with fewer, less than a third of the line would be left for the reasons
LONGEST_MS = 1e7  # about three hours; longer than any session


class Column(Struct, frozen=True):
    """One column of the wide table; it is omitted if it would be empty."""

    heading: str
    cell: Callable[[Verdict], Text]
    is_number: bool = False
    wraps: bool = False


def render(snapshot: Snapshot, options: SinkOptions) -> SinkOutput:
    """Return the table, with `verbose` every finding, and a summary in the last line."""
    table: list[RenderableType] = []
    if snapshot.verdicts:
        table.append(
            _narrow(snapshot) if max(options.width, LEAST_WIDTH) < NARROW else _wide(snapshot)
        )
        if options.verbose:
            table += [Text(), _findings(snapshot)]
        table.append(Text())
    table += _next_steps(snapshot)
    table.append(_summary(snapshot))
    text = as_text(*table, width=options.width, colour=options.colour)
    return SinkOutput(text, exit_status(snapshot))


def _summary(snapshot: Snapshot) -> Text:
    if not snapshot.verdicts:
        return Text("no server was checked")
    all_in = all(verdict.in_service for verdict in snapshot.verdicts)
    servers = plural_of(len(snapshot.verdicts), "server")
    how_many = summary(snapshot).replace(" in service", f" {servers} in service")
    counted = Text(how_many, "bold green" if all_in else "bold red")
    return Text("; ").join([counted, *map(Text, problems(snapshot))])


def _next_steps(snapshot: Snapshot) -> list[RenderableType]:
    """Return what to do about the first cause of each server, once, and what nothing proves."""
    steps: dict[str, str] = {}
    for verdict in worst_first(snapshot):
        cause = first_cause(verdict)
        if cause and cause.state is not State.OK:
            steps.setdefault(cause.code, verdict.remedies.get(cause.code, ""))
    shown: list[RenderableType] = [
        Text(f"what to do about {printable(code)}: {printable(step, LONGEST_REMEDY)}")
        for code, step in steps.items()
        if step
    ]
    if snapshot.verdicts and all(map(fails_like_the_others, snapshot.verdicts)):
        shown.append(Text(NOT_PROVEN, "bold yellow"))
    return shown


def _wide(snapshot: Snapshot) -> Table:
    shown = names(snapshot)
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    cells: list[list[Text]] = []
    for column in _columns(shown):
        column_cells = [column.cell(verdict) for verdict in snapshot.verdicts]
        if any(column_cells):
            cells.append(column_cells)
            table.add_column(
                column.heading,
                justify="right" if column.is_number else "left",
                no_wrap=not column.wraps,
                overflow="fold",
            )
    for row in zip(*cells, strict=True):
        table.add_row(*row)
    return table


def _columns(shown: Mapping[str, str]) -> tuple[Column, ...]:
    return (
        Column("SERVER", lambda v: Text(shown[v.server], "bold"), wraps=True),
        Column("VERDICT", _in_or_out),
        Column("STATE", lambda v: Text(v.state.name, STYLES[v.state])),
        Column("WEIGHT", lambda v: Text(str(v.weight)), is_number=True),
        Column("BIND\nms", lambda v: Text(_ms(v, "bind_seconds")), is_number=True),
        Column("SEARCH\nms", lambda v: Text(_ms(v, "search_seconds")), is_number=True),
        Column("HELD BY", lambda v: Text(printable(v.held_by), "bold"), wraps=True),
        Column("WHY", _why, wraps=True),
    )


def _narrow(snapshot: Snapshot) -> Table:
    """Return a table with the reasons below the verdict: columns would leave no room for them."""
    shown = names(snapshot)
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(overflow="fold", max_width=24)
    table.add_column(overflow="fold")
    for verdict in snapshot.verdicts:
        state = Text(verdict.state.name, STYLES[verdict.state])
        first = Text("  ").join([_in_or_out(verdict), state, Text(f"weight {verdict.weight}")])
        steps = ((step, _ms(verdict, f"{step}_seconds")) for step in ("bind", "search"))
        times = Text(", ".join(f"{step} {ms} ms" for step, ms in steps if ms))
        held = Text(held_words(verdict.held_by, in_service=verdict.in_service), "bold")
        block = [first, times, held, _why(verdict)]
        table.add_row(
            Text(shown[verdict.server], "bold"), Text("\n").join(part for part in block if part)
        )
    return table


def _in_or_out(verdict: Verdict) -> Text:
    if verdict.in_service:
        return Text("in service", STYLES[State.OK])
    what = "draining" if verdict.draining else "OUT of service"
    return Text(what, f"bold {STYLES[State.CRITICAL]}")


def _why(verdict: Verdict) -> Text:
    return Text("\n").join(
        Text.assemble(
            (printable(reason.code), STYLES[reason.state]),
            f"{f' ({note})' if (note := remark(verdict, reason)) else ''}"
            f": {printable(reason.summary)}",
        )
        for reason in verdict.reasons
    )


def _ms(verdict: Verdict, name: str) -> str:
    """Return a time in milliseconds, or "" if the step was not reached."""
    for finding in verdict.findings:
        for metric in finding.metrics:
            if metric.name == name and 0 <= metric.value * 1000 < LONGEST_MS:
                return f"{metric.value * 1000:.1f}"
    return ""


def _findings(snapshot: Snapshot) -> Table:
    shown = names(snapshot)
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for heading in ("SERVER", "STATE", "FINDING"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "STATE")
    for verdict in snapshot.verdicts:
        name = shown[verdict.server]
        for finding in verdict.findings:
            state = Text(finding.state.name, STYLES[finding.state])
            table.add_row(Text(name, "bold"), state, _finding(finding))
            name = ""  # printed once, so that the start of the next server stands out
    return table


def _finding(finding: Finding) -> Text:
    first = f"{printable(finding.reason)}: {printable(finding.summary)}"
    return Text("\n".join([first, *_metrics(finding.metrics)]))


def _metrics(metrics: Iterable[Metric]) -> Iterable[str]:
    for metric in metrics:
        name = " ".join(filter(None, (printable(metric.name), printable(metric.label))))
        ranges = [
            f"{kind} {printable(text)}"
            for kind, text in (("warning", metric.warning), ("critical", metric.critical))
            if text
        ]
        value = f"{metric.value:.6g}" if isfinite(metric.value) else "not known"
        yield f"  {name} {value}" + (f" ({', '.join(ranges)})" if ranges else "")
