"""Files that a reader sees whole or not at all, whenever the writer or the machine stops."""

from __future__ import annotations

import os
from pathlib import Path


def write(path: Path, content: bytes, mode: int = 0o644, *, durable: bool = False) -> None:
    """Put the content in place of the file by rename(2); `durable`: it survives a power cut.

    OSError leaves the old file as it was.
    """
    new = path.with_name(f".{path.name}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        try:
            os.fchmod(descriptor, mode)  # whatever the umask is
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
    """Bring the new name to the disk too (fsync(2))."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
