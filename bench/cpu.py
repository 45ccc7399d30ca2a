"""CPU seconds of whole processes, measured in turn so that noise affects all alike.

The benchmarks use it.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import statistics
import time
from collections.abc import Mapping, Sequence

PROCESS_SECONDS = 60.0  # after which a process is killed
CHECK_LDAP = "/usr/lib/nagios/plugins/check_ldap"
# pip installs bytecode. With this variable a checkout would be compiled again in each process,
# which costs a third of a check.
LEFT_OUT = "PYTHONDONTWRITEBYTECODE"


def process_seconds(
    command: list[str], exit_status: int = 0, limit_seconds: float = PROCESS_SECONDS
) -> float:
    """Return the user and system CPU seconds of one run; its output is discarded.

    RuntimeError if it ends with another exit status, or is killed at the limit.
    """
    # posix_spawn and not fork: to copy the page tables of this process takes a millisecond.
    null = (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)
    both = [null, (os.POSIX_SPAWN_DUP2, 1, 2)]
    environment = {name: value for name, value in os.environ.items() if name != LEFT_OUT}
    pid = os.posix_spawn(command[0], command, environment, file_actions=both)
    ending = os.pidfd_open(pid)
    try:
        if not select.select([ending], [], [], limit_seconds)[0]:
            os.kill(pid, signal.SIGKILL)
    finally:
        os.close(ending)
        _, status, usage = os.wait4(pid, 0)
    if os.waitstatus_to_exitcode(status) != exit_status:
        raise RuntimeError(f"{' '.join(command)} failed; it is not measured")
    return usage.ru_utime + usage.ru_stime


def running_seconds(pid: int) -> float:
    """Return the CPU seconds of a process that runs, all its threads together.

    By its clock (clock_getcpuclockid(3)): /proc/PID/stat has hundredths of a second only.
    """
    clock = ctypes.c_int()
    error = ctypes.CDLL(None).clock_getcpuclockid(pid, ctypes.byref(clock))
    if error:
        raise OSError(error, os.strerror(error))
    return time.clock_gettime(clock.value)


def table(measured: Mapping[str, Sequence[float]], peer: str) -> None:
    """Print median and minimum milliseconds, and the median ratio to the peer over the pairs."""
    print(f"{'':44} {'median':>8} {'minimum':>8}   {'against ' + peer:>20}")
    for name, seconds in measured.items():
        ratios = [a / b for a, b in zip(seconds, measured[peer], strict=True)]
        median, least = statistics.median(seconds) * 1e3, min(seconds) * 1e3
        print(f"{name:44} {median:5.2f} ms {least:5.2f} ms   {statistics.median(ratios):20.2f}")


def compared(these: Mapping[str, Sequence[float]], others: Mapping[str, Sequence[float]]) -> None:
    """Print medians of two checkouts, and the median ratio over the pairs: above 1 is slower."""
    print(f"{'':44} {'this':>8} {'other':>11} {'this/other':>11}")
    for name, seconds in these.items():
        ratios = [a / b for a, b in zip(seconds, others[name], strict=True)]
        this, other = (statistics.median(each) * 1e3 for each in (seconds, others[name]))
        print(f"{name:44} {this:5.2f} ms {other:8.2f} ms {statistics.median(ratios):11.2f}")
