"""Waits for a condition, for a bounded time.

For replication, processes and threads that provide no event to wait for.
"""

from __future__ import annotations

import time
from collections.abc import Callable

PAUSE_SECONDS = 0.02


def until(
    condition: Callable[[], object],
    timeout_seconds: float,
    message: str,
    pause_seconds: float = PAUSE_SECONDS,
) -> None:
    """Call `condition` repeatedly; raise TimeoutError with `message` if it stays false."""
    if not comes_true(condition, timeout_seconds, pause_seconds):
        raise TimeoutError(f"after {timeout_seconds:g} s {message}")


def comes_true(
    condition: Callable[[], object],
    timeout_seconds: float,
    pause_seconds: float = PAUSE_SECONDS,
) -> bool:
    """Call `condition` repeatedly; return whether it has become true in time."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause_seconds)
    return True
