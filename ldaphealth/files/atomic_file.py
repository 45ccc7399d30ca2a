"""Atomic replacement of files: a reader sees the old content or the new, never a part."""

from __future__ import annotations

import os
import stat
from pathlib import Path

# O_EXCL follows no symbolic link and opens no FIFO that another process made (open(2)).
CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


def write(path: Path, content: bytes, mode: int = 0o644, *, durable: bool = False) -> None:
    """Replace the file by rename(2). If `durable`, the new content survives a power failure.

    After an OSError the old file is unchanged.
    """
    directory, name = os.path.split(path)
    new = os.path.join(directory, f".{name}.new")  # noqa: PTH118  a Path costs more, in each round
    descriptor = _create(new, mode)
    try:
        try:
            os.fchmod(descriptor, mode)  # independent of the umask
            view = memoryview(content)
            while view:
                view = view[os.write(descriptor, view) :]
            if durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(new, path)  # noqa: PTH105
        if durable:
            _sync_directory(path.parent)
    except OSError:
        Path(new).unlink(missing_ok=True)
        raise


def remove_temporary_files(directory: Path) -> int:
    """Remove what `write` left in a directory because its process was killed; return how many.

    Only the process that writes there may call it. OSError: one cannot be removed.
    """
    left = [each for each in directory.glob(".*.new") if stat.S_ISREG(each.lstat().st_mode)]
    for each in left:
        each.unlink(missing_ok=True)
    return len(left)


def _create(new: str, mode: int) -> int:
    try:
        return os.open(new, CREATE, mode)
    except FileExistsError:  # a process was killed while it wrote
        Path(new).unlink()
        return os.open(new, CREATE, mode)


def _sync_directory(directory: Path) -> None:
    """Write the new directory entry to the disk (fsync(2))."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
