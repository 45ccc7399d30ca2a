"""Run a command and write down its time and its peak memory; a small process of its own.

The peak of a process (ru_maxrss in getrusage(2)) begins at that of the process that started it,
because the kernel keeps it across execve(2). Started from pytest, ldaphealth would seem to need
what pytest needs. So test_process.py starts this file, which imports next to nothing.
"""

from __future__ import annotations

import json
import os
import sys
from time import monotonic


def main(report: str, *command: str) -> None:
    """Run the command; write seconds, peak_kib and status (negative: the signal) to the report."""
    started = monotonic()
    pid = os.posix_spawn(command[0], command, os.environ)
    _, status, usage = os.wait4(pid, 0)
    seconds = monotonic() - started
    code = os.waitstatus_to_exitcode(status)
    with open(report, "w") as file:  # noqa: PTH123  pathlib takes memory
        json.dump({"seconds": seconds, "peak_kib": usage.ru_maxrss, "status": code}, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
