"""Tables as text of a certain width, or live on a terminal.

The commands and the sink `text` call it. Text from a server is never interpreted as markup.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from io import StringIO
from threading import Event

from rich.console import Console, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table

LEAST_WIDTH = 40


def as_text(*table: RenderableType, width: int, colour: bool) -> str:
    """Return the tables as lines without trailing spaces."""
    out = StringIO()
    console = Console(
        file=out,
        width=max(width, LEAST_WIDTH),
        height=25,  # otherwise rich reads both from the environment
        color_system="standard" if colour else None,
        force_terminal=colour,
        no_color=not colour,
        highlight=False,
        emoji=False,
        markup=False,
    )
    for each in table:
        console.print(each)
    lines = (line.rstrip() for line in out.getvalue().split("\n"))
    return "\n".join(lines).rstrip("\n")


def show_live(draw: Callable[[], RenderableType], every_seconds: float) -> None:
    """Show it on the whole terminal and update it, until KeyboardInterrupt."""
    with Live(draw(), auto_refresh=False, screen=True) as live:
        while True:
            time.sleep(every_seconds)
            live.update(draw(), refresh=True)


def draw_until(done: Event, progress: RenderableType) -> None:
    """Show one line with a spinner on standard error until `done` is set, and then remove it."""
    line = Table.grid(padding=(0, 1))
    line.add_row(Spinner("dots"), progress)
    with Live(line, console=Console(stderr=True), transient=True):
        done.wait()
