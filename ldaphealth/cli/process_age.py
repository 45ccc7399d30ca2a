"""For how long this process has run: the start of Python is in the time that its caller gives."""

from __future__ import annotations

import os
import time
from pathlib import Path


def age_seconds() -> float:
    """Return for how long this process has run; 22 of proc_pid_stat(5) is its start."""
    started_ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    started_seconds = started_ticks / os.sysconf("SC_CLK_TCK")
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - started_seconds)
