"""Waits for a condition, for a bounded time.

For replication, processes and threads that provide no event to wait for. While more processes can
run than there are CPUs, all are slower: then time counts by the share of a CPU that each has, so
that a busy machine is no failure.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from pathlib import Path

PAUSE_SECONDS = 0.02
LEAST_SHARE = 0.1  # so that a wait ends at ten times its bound
STAT = Path("/proc/stat")
RUNNING = re.compile(rb"^procs_running (\d+)$", re.MULTILINE)  # proc(5)


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
    left, before = timeout_seconds, time.monotonic()
    while not condition():
        now = time.monotonic()
        left -= (now - before) * _share()
        before = now
        if left < 0:
            return False
        time.sleep(pause_seconds)
    return True


def _share() -> float:
    """Return the share of a CPU that a process has now; 1 where the system does not tell."""
    try:
        found = RUNNING.search(STAT.read_bytes())
    except OSError:
        return 1.0
    running = int(found[1]) if found else 1
    return max(LEAST_SHARE, min(1.0, (os.cpu_count() or 1) / max(1, running)))
