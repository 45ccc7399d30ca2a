"""Waits for something to become true, for a bounded time.

For replication, processes and threads, which have no event to wait for.
"""

from __future__ import annotations

import time
from collections.abc import Callable

PAUSE_SECONDS = 0.02


def until(condition: Callable[[], object], timeout_seconds: float, complaint: str) -> None:
    """Ask `condition` again and again; raise TimeoutError with `complaint` if it stays false."""
    if not comes_true(condition, timeout_seconds):
        raise TimeoutError(f"after {timeout_seconds:g} s {complaint}")


def comes_true(condition: Callable[[], object], timeout_seconds: float) -> bool:
    """Ask `condition` again and again; return whether it has become true in time."""
    give_up_at = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() > give_up_at:
            return False
        time.sleep(PAUSE_SECONDS)
    return True
