"""A lock file: one process at a time holds it, and other users cannot even open it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from pathlib import Path

from ldaphealth.files.regular_file import refuse_other_kinds

# flock(2) needs only read permission, so a file that others can read can be locked by them.
MODE = 0o600
# O_NONBLOCK: there may be a FIFO in its place.
LONGEST_ID = 20
OPEN = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def lock_path(directory: Path) -> Path:
    """Return the path of the lock of a directory of the agent."""
    return directory / "agent.lock"


def holder_of(path: Path) -> int:
    """Return the ID of the process that holds the lock, as far as the file says it; else 0."""
    try:
        return int(path.read_bytes()[:LONGEST_ID])
    except (OSError, ValueError):
        return 0


class LockFile:
    """Holds the lock until `close`, or until the process ends. The file has its process ID.

    `left_by` is that of a process that held it before and ended without `close`, else 0. A shared
    lock can be held by several processes, and their IDs are not in the file. BlockingIOError:
    another process holds it. OSError: the file cannot be made, or is no file.
    """

    def __init__(self, path: Path, *, shared: bool = False) -> None:
        refuse_other_kinds(path)
        self._path, self._is_shared = path, shared
        self._descriptor = os.open(path, OPEN, MODE)
        try:
            self._lock()
        except BaseException:
            os.close(self._descriptor)
            raise
        self.left_by = 0 if shared else holder_of(path)
        self._write(f"{os.getpid()}\n".encode())

    def _lock(self) -> None:
        if os.fstat(self._descriptor).st_uid != os.geteuid():
            raise OSError(errno.EPERM, "belongs to another user; remove it", str(self._path))
        os.fchmod(self._descriptor, MODE)
        kind = fcntl.LOCK_SH if self._is_shared else fcntl.LOCK_EX
        fcntl.flock(self._descriptor, kind | fcntl.LOCK_NB)

    def share(self) -> None:
        """Let other processes share the lock from now on.

        BlockingIOError: another one took it meanwhile (flock(2): this is not atomic).
        """
        self._write(b"")
        self._is_shared = True
        fcntl.flock(self._descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)

    @property
    def is_current(self) -> bool:
        """Return whether the locked file is still at its path."""
        try:
            return os.path.samestat(os.fstat(self._descriptor), self._path.lstat())
        except OSError:
            return False

    def close(self) -> None:
        """Release the lock. The file stays: to remove it could leave two holders."""
        self._write(b"")
        os.close(self._descriptor)

    def _write(self, content: bytes) -> None:
        """Replace the content. It is for people: a full disk is no reason not to hold the lock."""
        if self._is_shared:
            return
        with contextlib.suppress(OSError):
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, content, 0)
