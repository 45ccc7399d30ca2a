"""The directories of the agent: owned by its user, locked, and made again if they are removed.

`assembly.py` claims them at the start, and control/control_socket.py the runtime directory again.
"""

from __future__ import annotations

from pathlib import Path

from ldaphealth.files.atomic_file import remove_temporary_files
from ldaphealth.files.lock_file import LockFile, holder_of, lock_path
from ldaphealth.files.own_directory import UnsafeDirectoryError, own_directory, refuse_link
from ldaphealth.publishers.shared_verdicts import DIRECTORY_PREFIX

HINT = "agent.runtime_directory and agent.state_directory name its directories"


class DirectoryError(Exception):
    """The agent cannot use a directory. The message is one line with the reason."""


class ClaimedDirectory:
    """A directory that no other agent uses, until `close`. DirectoryError: it cannot be claimed.

    `left_by` is the process ID of an agent that used it before and was killed, else 0.
    """

    def __init__(self, path: Path, mode: int) -> None:
        self._path, self._mode = path, mode
        self._lock = self._claim()
        self.left_by = self._lock.left_by

    def claim_again(self) -> None:
        """Claim the directory again if it was removed or replaced. DirectoryError: it cannot be."""
        if self._lock.is_current:
            return
        before, self._lock = self._lock, self._claim()
        before.close()

    def close(self) -> None:
        """Let another agent claim it."""
        self._lock.close()

    def _claim(self) -> LockFile:
        try:
            own_directory(self._path, self._mode)
            return LockFile(lock_path(self._path))
        except BlockingIOError as error:
            step = "`systemctl status ldaphealth-agent`, or `pgrep -af ldaphealth`, shows it"
            holder = holder_of(lock_path(self._path))
            which = f" (process {holder})" if holder else ""
            raise DirectoryError(f"another agent uses {self._path}{which}; {step}") from error
        except UnsafeDirectoryError as error:
            raise DirectoryError(str(error)) from error
        except OSError as error:
            raise DirectoryError(f"{error.filename}: {error.strerror}; {HINT}") from error


def own_tree(directory: Path) -> None:
    """Create a directory below a claimed one, or check it and those in it; DirectoryError."""
    try:
        refuse_link(directory)
        own_directory(directory)
        for each in directory.iterdir():
            refuse_link(each)
            if each.is_dir():
                own_directory(each)
    except UnsafeDirectoryError as error:
        raise DirectoryError(str(error)) from error
    except OSError as error:
        raise DirectoryError(f"{error.filename}: {error.strerror}; {HINT}") from error


def clear_temporary_files(*directories: Path) -> int:
    """Remove the unfinished files in these directories and those in them; return how many.

    One that cannot be removed stays: the next write replaces it.
    """
    found = 0
    for top in directories:
        below = [each for each in top.glob("*") if each.is_dir()]
        for directory in (top, *below):
            if directory.name.startswith(DIRECTORY_PREFIX):  # scripts may write there now
                continue
            try:
                found += remove_temporary_files(directory)
            except OSError:
                continue
    return found
