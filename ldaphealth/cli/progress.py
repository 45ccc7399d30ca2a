"""A progress line on a terminal while servers are slow.

The commands run their work in `show_progress`. It costs nothing without a terminal, or if the
servers answer quickly.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Protocol

from ldaphealth.text.quantity import quantity

DELAY_SECONDS = 1.0  # before the line is shown


class ProgressLine(Protocol):
    """One line that shows a progress."""

    def __rich__(self) -> str:
        """Return the line; called each time it is drawn."""


class CheckProgress:
    """The number of servers that have answered."""

    def __init__(self, servers: int) -> None:
        self.servers = servers
        self._answered: set[str] = set()  # a server may be probed twice
        self._started = monotonic()

    def note(self, server: str) -> None:
        """Count the answer of a server; called by the threads that probe."""
        self._answered.add(server)

    def __rich__(self) -> str:
        """Return the line; called each time it is drawn."""
        seconds = monotonic() - self._started
        return (
            f"{len(self._answered)} of {quantity(self.servers, 'server')} answered, {seconds:.0f} s"
        )


class Counting:
    """How many of a number of things are done, and for how long that has been going on."""

    def __init__(self, count: int) -> None:
        self.count, self.done = count, 0
        self._started = monotonic()

    def note(self) -> None:
        """Count one that is done."""
        self.done += 1

    def seconds(self) -> float:
        """Return for how long it has been going on."""
        return monotonic() - self._started


@contextmanager
def show_progress(progress: ProgressLine) -> Iterator[None]:
    """Show the progress on standard error after a delay, if that is a terminal."""
    if not sys.stderr.isatty():
        yield
        return
    done = threading.Event()
    thread = threading.Thread(target=_draw, args=(progress, done), name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(1.0)


def _draw(progress: ProgressLine, done: threading.Event) -> None:
    if done.wait(DELAY_SECONDS):
        return
    from ldaphealth.tables.terminal import draw_until  # rich takes 60 ms; most checks are quicker

    draw_until(done, progress)
