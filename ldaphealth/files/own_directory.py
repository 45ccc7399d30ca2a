"""Directories that only this user and root can change, with modes that no umask changes."""

from __future__ import annotations

import errno
import os
import pwd
import stat
from pathlib import Path

READABLE = 0o755
PRIVATE = 0o750
WRITABLE = stat.S_IWGRP | stat.S_IWOTH


class UnsafeDirectoryError(Exception):
    """Another user could replace the files in it. The message is one line with the next step."""


def make_directory(path: Path, mode: int = READABLE) -> None:
    """Create a directory with this mode, and its missing parents; OSError.

    One that exists already is not changed.
    """
    if path.is_dir():
        return
    make_directory(path.parent)
    try:
        path.mkdir(mode)
    except FileExistsError as error:
        if not path.is_dir():
            reason = os.strerror(errno.ENOTDIR)
            raise NotADirectoryError(errno.ENOTDIR, reason, str(path)) from error
        return
    path.chmod(mode)


def own_directory(path: Path, mode: int = READABLE) -> None:
    """Create a directory, or check that only this user and root can change it.

    One of this user loses the write permission of its group and of others. UnsafeDirectoryError: it
    or a link to it belongs to another user, or others can write to a directory of root. OSError.
    """
    make_directory(path, mode)
    found, user = path.stat(), os.geteuid()
    for each in (path.lstat(), found):
        if each.st_uid not in {user, 0}:
            raise UnsafeDirectoryError(
                f"{path} belongs to {_name(each.st_uid)}, but the agent runs as {_name(user)}: "
                f"run it as that user, or chown {_name(user)} {path}"
            )
    if found.st_uid == user and found.st_mode & WRITABLE:
        path.chmod(stat.S_IMODE(found.st_mode) & ~WRITABLE)
    elif found.st_mode & stat.S_IWOTH:
        raise UnsafeDirectoryError(f"{path}: every user can write to it; use a directory below it")


def refuse_link(path: Path) -> None:
    """UnsafeDirectoryError: there is a symbolic link at the path."""
    if path.is_symlink():
        raise UnsafeDirectoryError(f"{path} is a symbolic link; remove it")


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"user {user}"
