"""What a person at a terminal sees while servers take their time.

`ldaphealth check` wraps its work in it; programs and quick answers see and pay nothing.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Protocol

PATIENCE_SECONDS = 1.0  # a progress that comes at two seconds feels late


class ProgressLine(Protocol):
    """One line that says how far something is."""

    def __rich__(self) -> str:
        """Return it, each time it is drawn."""


class CheckProgress:
    """How many servers have answered."""

    def __init__(self, servers: int) -> None:
        self.servers = servers
        self._answered: set[str] = set()  # a server may be looked at twice
        self._started = monotonic()

    def note(self, server: str) -> None:
        """Count the answer of a server; the threads that probe call it."""
        self._answered.add(server)

    def __rich__(self) -> str:
        """Say how far it is, each time it is drawn."""
        seconds = monotonic() - self._started
        return f"{len(self._answered)} of {self.servers} servers answered, {seconds:.0f} s"


@contextmanager
def show_progress(progress: ProgressLine) -> Iterator[None]:
    """Draw the progress on standard error once it takes long, if that is a terminal."""
    if not sys.stderr.isatty():
        yield
        return
    done = threading.Event()
    painter = threading.Thread(target=_paint, args=(progress, done), name="progress", daemon=True)
    painter.start()
    try:
        yield
    finally:
        done.set()
        painter.join(1.0)


def _paint(progress: ProgressLine, done: threading.Event) -> None:
    if done.wait(PATIENCE_SECONDS):
        return
    from ldaphealth.tables.terminal import draw_until  # rich takes 60 ms; most checks are quicker

    draw_until(done, progress)
