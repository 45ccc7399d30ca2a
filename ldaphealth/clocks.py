"""The three clocks, and a type for a moment on each; moments on two of them are never compared.

A moment is a number of seconds; its type says on which clock: `BootSeconds`, `MonotonicSeconds`
(`time.monotonic`) or `EpochSeconds`. A duration is a plain `float`. docs/architecture.md says which
clock is used where, and tests/test_architecture.py that no moment is a plain `float`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from time import CLOCK_BOOTTIME, clock_gettime, time
from typing import TypeAlias

BootSeconds: TypeAlias = float
MonotonicSeconds: TypeAlias = float
EpochSeconds: TypeAlias = float


def boot_seconds() -> BootSeconds:
    """Return the seconds since the boot, as in /proc/uptime; they never step.

    All processes of this machine read the same, and the time that it sleeps counts, too
    (clock_gettime(2), CLOCK_BOOTTIME).
    """
    return clock_gettime(CLOCK_BOOTTIME) + _container_shift()


def epoch_seconds() -> EpochSeconds:
    """Return the time of day, in seconds since 1970 by this machine's clock; it may step."""
    return time()


@cache
def _container_shift() -> float:
    """Return by how much /proc/uptime differs: lxcfs shows a container its own, from its start.

    keepalived's scripts can read nothing else, and would believe a dead agent for ever.
    """
    try:
        shown = float(Path("/proc/uptime").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return 0.0
    shift = shown - clock_gettime(CLOCK_BOOTTIME)
    return shift if abs(shift) > 1.0 else 0.0
