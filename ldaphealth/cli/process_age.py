"""The age of this process. The timeout of a caller includes the start of Python."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ldaphealth.settings import Cluster

LEAST_PART = 0.3  # of the deadline; with less, servers that are well would time out


def age_seconds() -> float:
    """Return the seconds since this process started (field 22 of proc_pid_stat(5))."""
    started_ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    started_seconds = started_ticks / os.sysconf("SC_CLK_TCK")
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - started_seconds)


def with_time_left(cluster: Cluster) -> Cluster:
    """Return the cluster with the rest of its deadline, which begins with this process.

    The script of keepalived stops the program a fixed time after its start. On a busy balancer the
    start alone takes seconds, and without an answer a dead server would stay in service.
    """
    deadline_seconds = cluster.deadline_seconds
    left = max(deadline_seconds - age_seconds(), LEAST_PART * deadline_seconds)
    return cluster.within(round(left, 1))
