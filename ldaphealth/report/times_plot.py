"""The times of operations as lines of blocks over one axis of time, with the outages below."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import ceil
from typing import Any

from ldaphealth.clocks import EpochSeconds
from ldaphealth.text.duration import brief, duration
from ldaphealth.text.moment import epoch_of, moment
from ldaphealth.text.quantity import quantity
from ldaphealth.text.sparkline import sparkline

MOST_SERVERS = 20
OUT, IN = "x", " "
Spans = Sequence[tuple[EpochSeconds, EpochSeconds]]


def times_lines(document: Mapping[str, Any], outages: Mapping[str, Spans]) -> tuple[list[str], int]:
    """Return the lines, and how many servers are left out.

    Servers with outages come first, then the slowest; below a server with outages there is a line
    that marks them.
    """
    servers = sorted(
        document["servers"],
        key=lambda each: (each["server"] not in outages, -each["quantile_seconds"]),
    )
    since, until = (epoch_of(document[key]) for key in ("since", "until"))
    columns = _columns(since, until, document["by_seconds"])
    shown = servers[:MOST_SERVERS]
    most = max((p["quantile_seconds"] for each in shown for p in each["periods"]), default=0.0)
    width = max((len(each["server"]) for each in shown), default=0)
    lines: list[str] = []
    for each in shown:
        line = sparkline(heights(each["periods"], columns), most)
        numbers = f"{brief(each['quantile_seconds'])}, {quantity(each['count'], 'time')}"
        lines.append(f"{each['server']:{width}}  {line}  {numbers}")
        if (below := marks(outages.get(each["server"], ()), columns)).strip():
            lines.append(f"{'':{width}}  {below}".rstrip())
    return [*lines, "", _about(columns, most)], len(servers) - len(shown)


def plot_around(around: Mapping[str, Any], span: tuple[EpochSeconds, EpochSeconds]) -> list[str]:
    """Return the lines of one server around an outage."""
    periods, by_seconds = around["periods"], around["by_seconds"]
    first = min(epoch_of(each["start"]) for each in periods)
    last = max(epoch_of(each["start"]) + each["seconds"] for each in periods)
    columns = _columns(min(first, span[0]), max(last, span[1]), by_seconds)
    most = max(each["quantile_seconds"] for each in periods)
    line, below = sparkline(heights(periods, columns), most), marks([span], columns)
    return [line.rstrip(), below.rstrip(), "", _about(columns, most)]


def heights(
    periods: Iterable[Mapping[str, Any]], columns: Sequence[EpochSeconds]
) -> list[float | None]:
    """Return the highest quantile in each column; a long period fills several."""
    found: list[float | None] = [None] * len(columns)
    step = columns[1] - columns[0] if len(columns) > 1 else 1.0
    for each in periods:
        start = epoch_of(each["start"])
        first = int((start - columns[0]) // step)
        last = ceil((start + each["seconds"] - columns[0]) / step)
        for at in range(max(0, first), min(len(columns), max(last, first + 1))):
            found[at] = max(found[at] or 0.0, each["quantile_seconds"])
    return found


def marks(spans: Spans, columns: Sequence[EpochSeconds]) -> str:
    """Return a sign for each column in which there was an outage."""
    step = columns[1] - columns[0] if len(columns) > 1 else 1.0
    return "".join(
        OUT if any(began < at + step and ended > at for began, ended in spans) else IN
        for at in columns
    )


def _columns(since: EpochSeconds, until: EpochSeconds, by_seconds: float) -> list[EpochSeconds]:
    """Return the beginnings of the columns, which are multiples of their length since 1970."""
    first = since // by_seconds * by_seconds
    return [first + at * by_seconds for at in range(max(2, ceil((until - first) / by_seconds)))]


def _about(columns: Sequence[EpochSeconds], most: float) -> str:
    step = columns[1] - columns[0]
    return (
        f"from {moment(columns[0])}, a column is {duration(step)}; from 0 to {brief(most)}; "
        f"{OUT}: out of service"
    )
