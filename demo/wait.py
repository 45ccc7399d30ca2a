"""Waiting for something to become true, for a bounded time.

The cluster and its nodes wait here, because replication and processes have no event to wait for.
"""

from __future__ import annotations

import time
from collections.abc import Callable

PAUSE_SECONDS = 0.02


def until(condition: Callable[[], bool], timeout_seconds: float, complaint: str) -> None:
    """Ask `condition` again and again; raise TimeoutError with `complaint` if it stays false."""
    give_up_at = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() > give_up_at:
            raise TimeoutError(f"after {timeout_seconds:g} s {complaint}")
        time.sleep(PAUSE_SECONDS)
