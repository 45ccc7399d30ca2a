"""A workload for a terminal: its shapes, a plot of their times, and what was left out.

`ldaphealth workload` calls it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import ceil

from rich.console import Group
from rich.table import Table
from rich.text import Text

from ldaphealth.histogram import bucket_of
from ldaphealth.text.printable import printable
from ldaphealth.workload.shape import OperationShape, ValueSource, Workload

DENSITIES = " .:-=+*#%@"  # of a cell in the plot, from none to the most operations
PLOT_COLUMNS = 44
NAME_COLUMNS = 28
MARKS = {
    -6: "1us",
    -5: "10us",
    -4: "100us",
    -3: "1ms",
    -2: "10ms",
    -1: "100ms",
    0: "1s",
    1: "10s",
    2: "100s",
}  # fmt: skip  by powers of ten of seconds


def render_workload(workload: Workload) -> Group:
    """Return the tables, for terminal.py."""
    left_out = (Text(""), _left_out(workload.left_out)) if workload.left_out else ()
    return Group(*_shapes(workload), Text(""), *_plot(workload), *left_out)


def _table(*headings: tuple[str, bool]) -> Table:
    """Return a table; those columns are numbers whose heading has True."""
    rows = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for heading, is_number in headings:
        rows.add_column(heading, justify="right" if is_number else "left", overflow="fold")
    return rows


def _shapes(workload: Workload) -> Iterator[Table | Text]:
    rows = _table(
        ("SHAPE", False), ("COUNT", True), ("SHARE", True), ("NOT OK", True), ("NONE", True),
        ("P50", True), ("P99", True),
    )  # fmt: skip
    for shape in workload.shapes:
        times = shape.times
        rows.add_row(
            Text(shape.name, "bold"),
            f"{shape.count:,}",
            f"{shape.share:.1%}",
            f"{_share_failed(shape):.1%}",
            f"{shape.entries.get(0, 0) / shape.count:.1%}" if shape.entries else "-",
            *(_time(times.quantile(q)) if times.count else "-" for q in (0.5, 0.99)),
        )
    yield rows
    yield Text("")
    for shape in workload.shapes:
        described = printable(_described(shape, workload.sources))
        yield Text.assemble((shape.name, "bold"), f"  {described}")


def _described(shape: OperationShape, sources: Mapping[str, ValueSource]) -> str:
    drawn = sources.get(shape.base.strip("{}"))
    base = f'"{drawn.dn if drawn and drawn.dn else shape.base}"'
    if shape.operation == "compare":
        return f"compare {base} {shape.attribute}: {shape.value}"
    attributes = " ".join(shape.attributes)
    return f"search {base} {shape.scope} {shape.filter} {attributes}".rstrip()


def _share_failed(shape: OperationShape) -> float:
    """Return the share with another result than success, compareFalse and compareTrue."""
    fine = sum(shape.results.get(code, 0) for code in (0, 5, 6))
    return 1 - fine / max(sum(shape.results.values()), 1)


def _plot(workload: Workload) -> Iterator[Text]:
    """Yield a line for each shape: its times, on a logarithmic scale."""
    buckets = [bucket for shape in workload.shapes for bucket in shape.times.buckets]
    if not buckets:
        yield Text("The log has no times: slapd writes them since 2.5, and never to cn=accesslog.")
        return
    first, last = min(buckets), max(buckets)
    per_cell = ceil((last - first + 1) / PLOT_COLUMNS)
    marks = ""
    for decade, mark in MARKS.items():
        at = (bucket_of(10.0**decade) - first) // per_cell
        if len(marks) <= at <= (last - first) // per_cell + 1:
            marks = f"{marks:{at}}{mark} "
    yield Text(f"{'TIMES':{NAME_COLUMNS}}  {marks}".rstrip(), "bold")
    for shape in workload.shapes:
        cells = [0] * ((last - first) // per_cell + 1)
        for bucket, count in shape.times.buckets.items():
            cells[(bucket - first) // per_cell] += count
        most = max(cells) or 1
        line = "".join(DENSITIES[ceil(cell / most * (len(DENSITIES) - 1))] for cell in cells)
        yield Text(f"{shape.name[:NAME_COLUMNS]:{NAME_COLUMNS}}  {line}".rstrip())


def _left_out(left_out: Mapping[str, int]) -> Table:
    rows = _table(("LEFT OUT", False), ("COUNT", True))
    for reason, count in left_out.items():
        rows.add_row(Text(printable(reason)), f"{count:,}")
    return rows


def _time(seconds: float) -> str:
    if seconds < 1e-3:  # noqa: PLR2004
        return f"{seconds * 1e6:.0f} us"
    return f"{seconds * 1e3:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"
