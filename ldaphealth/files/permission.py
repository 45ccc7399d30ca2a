"""Who may use a file, for the message to a user who may not."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import stat
from collections.abc import Callable
from pathlib import Path


def refusal_cause(path: Path, error: OSError, use: str = "read") -> str:
    """Return why a file could not be used so; if for lack of permission, also who may use it."""
    cause = os.strerror(error.errno) if error.errno else str(error)
    if error.errno != errno.EACCES:
        return cause
    try:
        found = path.stat()
    except OSError:
        return f"{cause}, not even to enter its directory"
    name = _name(found.st_uid, lambda number: pwd.getpwuid(number).pw_name)
    owner = f"the user {name}"  # a user may be called nobody
    if not found.st_mode & stat.S_IRGRP:
        return f"{cause}; only {owner} may {use} it"
    group = _name(found.st_gid, lambda number: grp.getgrgid(number).gr_name)
    return f"{cause}; only {owner} and members of the group {group} may {use} it"


def _name(number: int, look_up: Callable[[int], str]) -> str:
    try:
        return look_up(number)
    except KeyError:  # a number without an entry in passwd(5) or group(5)
        return str(number)
