"""Rows of short cells with text below them; a list in place of the table on a narrow terminal.

No cell is ever broken. Names are what people copy.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct
from rich.console import Console, ConsoleOptions, RenderableType
from rich.padding import Padding
from rich.text import Text

GAP = 2  # columns between two cells
INDENT = 4  # of the text below a row


class Row(Struct, frozen=True):
    """The cells of one row, by column, and the texts below it, which wrap."""

    cells: Sequence[Text]
    details: Sequence[Text] = ()


class Rows(Struct, frozen=True):
    """A table that rich can print; the first cell is the name of the row."""

    headings: Sequence[str]
    rows: Sequence[Row]
    right: frozenset[str] = frozenset()  # headings of columns with numbers

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """Yield the lines of the table, or those of the list if it is too wide."""
        widths = [
            max(len(heading), *(row.cells[at].cell_len for row in self.rows), 0)
            for at, heading in enumerate(self.headings)
        ]
        if sum(widths) + GAP * (len(widths) - 1) <= options.max_width:
            yield self._line([Text(each, "bold") for each in self.headings], widths)
            for row in self.rows:
                yield self._line(row.cells, widths)
                yield from _details(row)
        else:
            for row in self.rows:
                yield _whole(row.cells[0])
                yield from self._fields(row)
                yield from _details(row)

    def _line(self, cells: Sequence[Text], widths: Sequence[int]) -> Text:
        line = Text(no_wrap=True, overflow="ignore")
        for heading, cell, width in zip(self.headings, cells, widths, strict=True):
            space = " " * (width - cell.cell_len)
            pair = (space, cell) if heading in self.right else (cell, space)
            line = Text.assemble(line, *pair, " " * GAP, no_wrap=True, overflow="ignore")
        line.rstrip()
        return line

    def _fields(self, row: Row) -> Iterator[Text]:
        width = max(map(len, self.headings)) + GAP
        for heading, cell in zip(self.headings[1:], row.cells[1:], strict=True):
            if cell.plain:
                yield _whole(Text.assemble("  ", heading.ljust(width), cell))


def _details(row: Row) -> Iterator[RenderableType]:
    for each in row.details:
        yield Padding(each, (0, 0, 0, INDENT))


def _whole(text: Text) -> Text:
    return Text.assemble(text, no_wrap=True, overflow="ignore")
