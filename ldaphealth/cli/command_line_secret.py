"""A password that came on the command line, taken from where ps(1) shows it.

`check_ldaphealth -P` calls it, because check_ldap takes a password so. Nothing else of ours does.
"""

from __future__ import annotations

import os
from pathlib import Path

ARG_START, ARG_END = 48, 49  # fields of proc_pid_stat(5); those after the name begin with the third


def hide(secret: str) -> bool:
    """Overwrite the secret in the arguments of this process; tell whether that could be done.

    /proc/PID/cmdline shows the memory of the process itself, which may therefore change it. Until
    then every user of the machine could read it, and of the caller's command line still may.
    """
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end = (int(fields[number - 3]) for number in (ARG_START, ARG_END))
    hidden = os.fsencode(secret)
    try:
        with Path("/proc/self/mem").open("r+b", buffering=0) as memory:
            memory.seek(start)
            words = memory.read(end - start)
            memory.seek(start)
            memory.write(words.replace(hidden, b"x" * len(hidden)))
    except OSError:  # a hardened kernel; the caller warns anyway
        return False
    return True
