"""A lock file: one process at a time holds it, and other users cannot even open it."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

from ldaphealth.files.regular_file import refuse_other_kinds

# flock(2) needs only read permission, so a file that others can read can be locked by them.
MODE = 0o600
# O_NONBLOCK: there may be a FIFO in its place.
OPEN = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def lock_path(directory: Path) -> Path:
    """Return the path of the lock of a directory of the agent."""
    return directory / "agent.lock"


class LockFile:
    """Holds the lock until `close`, or until the process ends.

    BlockingIOError: another process holds it. OSError: the file cannot be made, or is no file.
    """

    def __init__(self, path: Path) -> None:
        refuse_other_kinds(path)
        self._path = path
        self._descriptor = os.open(path, OPEN, MODE)
        try:
            self._lock()
        except BaseException:
            self.close()
            raise

    def _lock(self) -> None:
        if os.fstat(self._descriptor).st_uid != os.geteuid():
            raise OSError(errno.EPERM, "belongs to another user; remove it", str(self._path))
        os.fchmod(self._descriptor, MODE)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    @property
    def is_current(self) -> bool:
        """Return whether the locked file is still at its path."""
        try:
            return os.path.samestat(os.fstat(self._descriptor), self._path.lstat())
        except OSError:
            return False

    def close(self) -> None:
        """Release the lock. The file stays: to remove it could leave two holders."""
        os.close(self._descriptor)
