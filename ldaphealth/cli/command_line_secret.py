"""Hide a password that was given on the command line, so that ps(1) does not show it.

Only `check_ldaphealth -P` uses it, because check_ldap accepts a password there.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

ARG_START, ARG_END = 48, 49  # fields of proc_pid_stat(5); the first after the name is field 3


def hide(secret: str) -> bool:
    """Overwrite the secret in the arguments of this process. Return whether this succeeded.

    /proc/PID/cmdline shows the memory of the process, so the process can change it. Before that,
    every user of this host can read the secret. The command line of the caller still contains it.
    /proc/self/mem is of no use: it belongs to root when the process is not dumpable.
    """
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end = (int(fields[number - 3]) for number in (ARG_START, ARG_END))
    if not 0 < start < end:  # a hardened kernel; the caller warns anyway
        return False
    hidden = os.fsencode(secret)
    arguments = ctypes.string_at(start, end - start)
    ctypes.memmove(start, arguments.replace(hidden, b"x" * len(hidden)), end - start)
    return True
