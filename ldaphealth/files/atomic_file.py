"""Atomic replacement of files: a reader sees the old content or the new, never a part."""

from __future__ import annotations

import os
from pathlib import Path


def write(path: Path, content: bytes, mode: int = 0o644, *, durable: bool = False) -> None:
    """Replace the file by rename(2). If `durable`, the new content survives a power failure.

    After an OSError the old file is unchanged.
    """
    new = path.with_name(f".{path.name}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
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
        new.replace(path)
        if durable:
            _sync_directory(path.parent)
    except OSError:
        new.unlink(missing_ok=True)
        raise


def _sync_directory(directory: Path) -> None:
    """Write the new directory entry to the disk (fsync(2))."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
