"""The age of this process. The timeout of a caller includes the start of Python."""

from __future__ import annotations

import os
import time
from pathlib import Path


def age_seconds() -> float:
    """Return the seconds since this process started (field 22 of proc_pid_stat(5))."""
    started_ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    started_seconds = started_ticks / os.sysconf("SC_CLK_TCK")
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - started_seconds)
