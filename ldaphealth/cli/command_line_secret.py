"""Hide a password that was given on the command line, so that ps(1) does not show it.

Only `check_ldaphealth -P` uses it, because check_ldap accepts a password there.
"""

from __future__ import annotations

import os
from pathlib import Path

ARG_START, ARG_END = 48, 49  # fields of proc_pid_stat(5); the first after the name is field 3


def hide(secret: str) -> bool:
    """Overwrite the secret in the arguments of this process. Return whether this succeeded.

    /proc/PID/cmdline shows the memory of the process, so the process can change it. Before that,
    every user of this host can read the secret. The command line of the caller still contains it.
    """
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end = (int(fields[number - 3]) for number in (ARG_START, ARG_END))
    hidden = os.fsencode(secret)
    try:
        with Path("/proc/self/mem").open("r+b", buffering=0) as memory:
            memory.seek(start)
            arguments = memory.read(end - start)
            memory.seek(start)
            memory.write(arguments.replace(hidden, b"x" * len(hidden)))
    except OSError:  # a hardened kernel; the caller warns anyway
        return False
    return True
