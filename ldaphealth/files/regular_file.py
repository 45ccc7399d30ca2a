"""Reading files that only this program should have made, whatever is in their place."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

# O_NONBLOCK: to open a FIFO would otherwise wait for a writer, without a deadline (open(2)).
READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC
KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def read_regular_file(path: Path, max_bytes: int) -> bytes:
    """Return the content, but at most one byte more than `max_bytes`.

    OSError: the file cannot be read, or it is a link, a FIFO or another thing that is no file.
    """
    try:
        descriptor = os.open(path, READ)
    except OSError:
        refuse_other_kinds(path)  # explains a link or a socket better
        raise
    try:
        _refuse(path, os.fstat(descriptor))
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(max_bytes + 1)
    finally:
        os.close(descriptor)


def refuse_other_kinds(path: Path) -> None:
    """Raise OSError if there is something at the path that is not a regular file."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    _refuse(path, found)


def _refuse(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        kind = KINDS.get(stat.S_IFMT(found.st_mode), "something unknown")
        raise OSError(errno.EINVAL, f"is {kind}, not a regular file", str(path))
