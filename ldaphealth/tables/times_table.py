"""The times of operations as plots and a table, and as CSV; `ldaphealth history --times`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from ldaphealth.tables.rows import Row, Rows
from ldaphealth.text.duration import brief, duration
from ldaphealth.text.moment import epoch_of
from ldaphealth.text.printable import printable
from ldaphealth.text.sparkline import ASCII_BLOCKS, BLOCKS, sparkline

MOST_COLUMNS = 60  # of a plot
CSV = ("count", "mean_seconds", "least_seconds", "most_seconds", "quantile_seconds")


def render_times(document: Mapping[str, Any], *, ascii_only: bool = False) -> Group:
    """Return a row and a plot for each server, for terminal.py; of one server also the periods.

    All plots have the same scale, which begins at 0.
    """
    servers = document["servers"]
    head = Text(f"{_title(document)}, {document['since']} to {document['until']}")
    if not servers:
        return Group(head, Text("the history has no times of it in this period"))
    most = max(each["quantile_seconds"] for of in servers for each in of["periods"])
    blocks = ASCII_BLOCKS if ascii_only else BLOCKS
    rows = [
        Row(_cells(each["server"], each), [Text(plot(each["periods"], most, blocks))])
        for each in servers
    ]
    share = _share(document)
    numbers = ("TIMES", "MEAN", share, "MOST")
    table = Rows(("SERVER", *numbers), rows, right=frozenset(numbers))
    about = Text(f"plots: {share} took at most so long, from 0 to {brief(most)}, oldest first")
    parts: list[RenderableType] = [head, "", table, about]
    if len(servers) == 1:
        periods = [
            Row((Text(each["start"]), Text(duration(each["seconds"])), *_numbers(each)))
            for each in servers[0]["periods"]
        ]
        parts += ["", Rows(("FROM", "FOR", *numbers), periods, right=frozenset(numbers))]
    return Group(*parts)


def plot(
    periods: Sequence[Mapping[str, Any]],
    most: float,
    blocks: str,
    *,
    name: str = "quantile_seconds",
    pick: Callable[[float, float], float] = max,
) -> str:
    """Return a character for each period, or for several where there are many; a gap for none.

    It shows the number `name`, up to `most`. Of several periods the highest is shown, or what
    `pick` takes of them.
    """
    if not periods:
        return ""
    starts = [epoch_of(each["start"]) for each in periods]
    length = min(each["seconds"] for each in periods)
    whole = int((starts[-1] - starts[0]) / length) + 1
    columns = min(whole, MOST_COLUMNS)
    heights: list[float | None] = [None] * columns
    for start, each in zip(starts, periods, strict=True):
        place = min(columns - 1, int((start - starts[0]) / length) * columns // whole)
        known = heights[place]
        heights[place] = each[name] if known is None else pick(known, each[name])
    return sparkline(heights, most, blocks)


def csv_lines(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield a heading, and a line for each server and period (RFC 4180)."""
    yield ",".join(("server", "start", "seconds", *CSV))
    for of in document["servers"]:
        for each in of["periods"]:
            numbers = (f"{each[name]:.6g}" for name in CSV[1:])
            cells = (of["server"], each["start"], each["seconds"], each["count"], *numbers)
            yield ",".join(map(str, cells))


def _title(document: Mapping[str, Any]) -> str:
    operation = document["operation"]
    of = f"{document['check']}.{operation}" if operation else document["check"]
    return printable(f"times of {of} by {duration(document['by_seconds'])}")


def _share(document: Mapping[str, Any]) -> str:
    return f"{100 * document['quantile']:g} %"


def _cells(name: str, found: Mapping[str, Any]) -> tuple[Text, ...]:
    return (Text(printable(name), "bold"), *_numbers(found))


def _numbers(found: Mapping[str, Any]) -> tuple[Text, ...]:
    names = ("mean_seconds", "quantile_seconds", "most_seconds")
    return (Text(str(found["count"])), *(Text(brief(found[name])) for name in names))
