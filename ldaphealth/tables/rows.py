"""Rows of short cells with text below them; a list in place of the table on a narrow terminal.

No cell is ever broken. Names are what people copy. In the list a row of which there is nothing to
say has one line, so that those with a problem stay on the screen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct
from rich.console import Console, ConsoleOptions, RenderableType
from rich.padding import Padding
from rich.text import Text

GAP = 2  # columns between two cells
INDENT = 4  # of the text below a row


class Row(Struct, frozen=True):
    """The cells of one row, by column, and the texts below it, which wrap.

    `is_short`: in the list it has one line, with the first cells for which there is room.
    """

    cells: Sequence[Text]
    details: Sequence[Text] = ()
    is_short: bool = False


class Rows(Struct, frozen=True):
    """A table that rich can print; the first cell is the name of the row.

    `spare` are headings of columns that a table which is too wide may do without, in this order.
    """

    headings: Sequence[str]
    rows: Sequence[Row]
    right: frozenset[str] = frozenset()  # headings of columns with numbers
    spare: Sequence[str] = ()

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """Yield the lines of the table, or those of the list if it is too wide."""
        widths = {
            heading: max(len(heading), *(row.cells[at].cell_len for row in self.rows), 0)
            for at, heading in enumerate(self.headings)
        }
        for heading in self.spare:
            if _total(widths) > options.max_width:
                del widths[heading]
        if _total(widths) <= options.max_width:
            yield self._line([Text(each, "bold") for each in self.headings], widths)
            for row in self.rows:
                yield self._line(row.cells, widths)
                yield from _details(row)
        else:
            for row in self.rows:
                if row.is_short:
                    yield _first_cells(row, options.max_width)
                    continue
                yield _whole(row.cells[0])
                yield from self._fields(row)
                yield from _details(row)

    def _line(self, cells: Sequence[Text], widths: Mapping[str, int]) -> Text:
        line = Text(no_wrap=True, overflow="ignore")
        for heading, cell in zip(self.headings, cells, strict=True):
            if heading not in widths:
                continue
            space = " " * (widths[heading] - cell.cell_len)
            pair = (space, cell) if heading in self.right else (cell, space)
            line = Text.assemble(line, *pair, " " * GAP, no_wrap=True, overflow="ignore")
        line.rstrip()
        return line

    def _fields(self, row: Row) -> Iterator[Text]:
        width = max(map(len, self.headings)) + GAP
        for heading, cell in zip(self.headings[1:], row.cells[1:], strict=True):
            if cell.plain:
                yield _whole(Text.assemble("  ", heading.ljust(width), cell))


def _total(widths: Mapping[str, int]) -> int:
    return sum(widths.values()) + GAP * (len(widths) - 1)


def _first_cells(row: Row, width: int) -> Text:
    """Return the first cells in one line: all that fit whole, the name in any case."""
    line = row.cells[0]
    for cell in row.cells[1:]:
        if line.cell_len + GAP + cell.cell_len > width:
            break
        line = Text.assemble(line, " " * GAP, cell)
    return _whole(line)


def _details(row: Row) -> Iterator[RenderableType]:
    for each in row.details:
        yield Padding(each, (0, 0, 0, INDENT))


def _whole(text: Text) -> Text:
    return Text.assemble(text, no_wrap=True, overflow="ignore")
