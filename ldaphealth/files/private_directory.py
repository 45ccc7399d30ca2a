"""A directory of this user alone, whose files no other user can plant, change or lock.

Whoever may write to the directory above it could still exchange it. So it is checked after it was
opened, and its files are reached through the descriptor only.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

MODE = 0o700
_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def open_private(above: Path, *names: str) -> Path:
    """Return a path to the directory `names`, one in another, below `above`; they are made.

    The path leads through a descriptor that stays open until the process ends, so it is for short
    processes. OSError: a directory cannot be made, is a link, or belongs to another user, or
    others may use it.
    """
    descriptor = os.open(above, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    path = above
    for name in names:
        path /= name
        parent, descriptor = descriptor, _open(descriptor, name, path)
        os.close(parent)
    return Path(f"/proc/self/fd/{descriptor}")


def _open(parent: int, name: str, path: Path) -> int:
    try:
        os.mkdir(name, MODE, dir_fd=parent)
        is_new = True
    except FileExistsError:
        is_new = False
    descriptor = os.open(name, _FLAGS, dir_fd=parent)
    found = os.fstat(descriptor)
    problem = ""
    if found.st_uid != os.geteuid():
        problem = "it belongs to another user"
    elif is_new:
        os.fchmod(descriptor, MODE)  # independent of the umask
    elif stat.S_IMODE(found.st_mode) & ~MODE:
        problem = f"other users may use it; chmod 0700 {path}"
    if problem:
        os.close(descriptor)
        raise OSError(errno.EPERM, problem, str(path))
    return descriptor
