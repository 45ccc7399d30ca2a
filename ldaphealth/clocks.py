"""The four clocks, and a type for moments on each; moments on different clocks are not compared.

A moment is a number of seconds. Its type names the clock: `BootSeconds`, `MonotonicSeconds`
(`time.monotonic`), `RunningSeconds` (agent/running_clock.py) or `EpochSeconds`. A duration is a
plain `float`. docs/architecture.md describes where each clock is used; tests/test_architecture.py
checks that no moment is a plain `float`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from time import CLOCK_BOOTTIME, clock_gettime, time
from typing import TypeAlias

HOUR_SECONDS = 3600
DAY_SECONDS = 86_400

BootSeconds: TypeAlias = float
MonotonicSeconds: TypeAlias = float
RunningSeconds: TypeAlias = float
EpochSeconds: TypeAlias = float


def boot_seconds() -> BootSeconds:
    """Return the seconds since the boot, as in /proc/uptime; this clock never steps.

    It is the same for all processes of the host, and includes the time that the host is suspended
    (clock_gettime(2), CLOCK_BOOTTIME). It is in whole microseconds.
    """
    return whole_microseconds(clock_gettime(CLOCK_BOOTTIME) + _container_shift())


def epoch_seconds() -> EpochSeconds:
    """Return the time of day of this host, in seconds since 1970; this clock may step.

    It is in whole microseconds.
    """
    return whole_microseconds(time())


def whole_microseconds(seconds: float) -> float:
    """Return the nearest moment or duration in whole microseconds.

    What is judged is measured so, because the journal keeps it in a few bytes, and exactly.
    """
    return round(seconds * 1e6) / 1e6


@cache
def _container_shift() -> float:
    """Return the offset of /proc/uptime, which lxcfs counts from the start of the container.

    keepalived's scripts can only read /proc/uptime. Without the offset, the verdicts of a dead
    agent would never expire for them.
    """
    try:
        shown = float(Path("/proc/uptime").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return 0.0
    shift = shown - clock_gettime(CLOCK_BOOTTIME)
    return shift if abs(shift) > 1.0 else 0.0
