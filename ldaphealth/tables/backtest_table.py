"""What was decided beside what other settings would have decided; `ldaphealth backtest`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from ldaphealth.tables.rows import Row, Rows
from ldaphealth.text.duration import duration, rounded_duration
from ldaphealth.text.moment import epoch_of
from ldaphealth.text.printable import printable
from ldaphealth.text.quantity import quantity

NONE = "-"
MOST_CAUSES = 8
MOST_SERVERS = 20  # with a plot
COLUMNS = 60  # of a plot
NEAR_ALL = 0.99  # from there on the decimals of a share count
NO_INCIDENTS = (
    "no incident is marked in this time, so nothing says which outages were right: "
    "`ldaphealth incident add`"
)
KNOWN, SOME, ASCII_KNOWN, ASCII_SOME = "·", "█", ".", "#"

Document = Mapping[str, Any]


def render_backtest(document: Document, *, ascii_only: bool = False) -> Group:
    """Return a table of all sides, and a plot of the servers that were out, for terminal.py."""
    sides = document["sides"]
    parts: list[RenderableType] = [*heading_lines(document), ""]
    headings = ("", *(printable(each["settings"]) for each in sides))
    parts.append(Rows(headings, [*_rows(document)], right=frozenset(headings[1:])))
    parts += [Text(f"{each['settings']}: {why}") for each in sides for why in each["left_out"]]
    plots = [*_plots(document, ascii_only)]
    if plots:
        parts += ["", Text("out of service, oldest first:"), *plots]
    if not document["incidents"]:
        parts += ["", Text(NO_INCIDENTS)]
    return Group(*parts)


def heading_lines(document: Document) -> list[Text]:
    """Return two lines: which time of which cluster, and how much that is."""
    return [Text(_head(document), "bold"), Text(_size(document))]


def _head(document: Document) -> str:
    seconds = epoch_of(document["until"]) - epoch_of(document["since"])
    return printable(
        f"{document['cluster']}: {document['since']} to {document['until']} ({duration(seconds)})"
    )


def _size(document: Document) -> str:
    servers = len(document["sides"][0]["out_of_service"]["servers"])
    return (
        f"{quantity(servers, 'server')}, {quantity(len(document['incidents']), 'incident')}; "
        f"{quantity(document['segments'], 'segment')}, {document['calm_segments']} of them calm"
    )


def _rows(document: Document) -> Iterator[Row]:
    yield _row(document, "removals", lambda each: str(each["out_of_service"]["outages"]))
    for cause in _causes(document):
        yield _row(
            document,
            f"  {cause}",
            lambda each, cause=cause: str(each["out_of_service"]["causes"].get(cause, 0)),
        )
    yield _row(document, "time out of service", lambda each: _time(each["out_of_service"]))
    yield _row(document, "CRITICAL", lambda each: str(each["critical"]["outages"]))
    yield _row(document, "time CRITICAL", lambda each: _time(each["critical"]))
    if document["incidents"]:
        yield from _scores(document, "removals", "out_of_service")
        yield from _scores(document, "CRITICAL", "critical")


def _scores(document: Document, name: str, key: str) -> Iterator[Row]:
    count = len(document["incidents"])
    yield Row([Text("")] * (1 + len(document["sides"])))
    yield _row(
        document,
        f"incidents found by {name}",
        lambda each: f"{each[key]['score']['found']} of {count}",
    )
    yield _row(document, "  after (median)", lambda each: _after(each[key]["score"]))
    for share in ("sensitivity", "specificity", "predictive_value"):
        yield _row(
            document,
            f"  {share.replace('_', ' ')}, %",
            lambda each, share=share: _share(each[key]["score"][share]),
        )


def _row(document: Document, name: str, cell: Callable[..., str]) -> Row:
    return Row([Text(printable(name)), *(Text(cell(each)) for each in document["sides"])])


def _causes(document: Document) -> Sequence[str]:
    """Return the causes that removed most, of all sides."""
    most: dict[str, int] = {}
    for side in document["sides"]:
        for cause, count in side["out_of_service"]["causes"].items():
            most[cause] = max(count, most.get(cause, 0))
    return sorted(most, key=lambda each: (-most[each], each))[:MOST_CAUSES]


def _time(found: Document) -> str:
    return rounded_duration(found["seconds"]) if found["seconds"] else NONE


def _after(found: Document) -> str:
    seconds = found["found_after_seconds"]
    return NONE if seconds is None else rounded_duration(seconds)


def _share(found: Document) -> str:
    """Return a share and its confidence interval, in percent: `80 (38 to 96)`."""
    if found["ratio"] is None:
        return NONE
    low, high = found["interval"]
    return f"{_percent(found['ratio'])} ({_percent(low)} to {_percent(high)})"


def _percent(ratio: float) -> str:
    """Return whole percents, and decimals only near the ends, where they count."""
    if NEAR_ALL < ratio < 1:
        return f"{100 * ratio:.2f}".rstrip("0").rstrip(".")
    return f"{100 * ratio:.0f}"


def _plots(document: Document, ascii_only: bool) -> Iterator[RenderableType]:
    """Yield for each server that was out of service on a side a line for each side."""
    known, some = (ASCII_KNOWN, ASCII_SOME) if ascii_only else (KNOWN, SOME)
    since, until = epoch_of(document["since"]), epoch_of(document["until"])
    sides = document["sides"]
    labels = [printable(each["settings"]) for each in sides]
    width = max(map(len, labels))
    times: list[Mapping[str, Sequence[Document]]] = [
        {each["server"]: each["times"] for each in side["out_of_service"]["servers"]}
        for side in sides
    ]
    shown = sorted({server for of in times for server, outages in of.items() if outages})
    for server in shown[:MOST_SERVERS]:
        yield Text(printable(server), "bold")
        for label, of_side in zip(labels, times, strict=True):
            cells = [known] * COLUMNS
            for each in of_side.get(server, ()):
                first, last = (
                    min(COLUMNS - 1, int((epoch_of(each[key]) - since) / (until - since) * COLUMNS))
                    for key in ("began", "ended")
                )
                cells[first : last + 1] = [some] * (last + 1 - first)
            yield Text(f"  {label.ljust(width)}  {''.join(cells)}", no_wrap=True)
    if len(shown) > MOST_SERVERS:
        yield Text(f"and {quantity(len(shown) - MOST_SERVERS, 'other server')}")
