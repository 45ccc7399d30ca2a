"""The verdicts of a check without an agent, for the checks of the other servers at that moment.

keepalived checks each server by a process of its own, and each verdict needs a probe of the whole
cluster. So one process at a time probes it, and writes a file like that of the agent for each
server. The others wait for it and read theirs. keepalived/ldaphealth-check reads the same files.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from time import sleep, time

from msgspec.structs import replace

from ldaphealth.clocks import BootSeconds, EpochSeconds, boot_seconds
from ldaphealth.files.atomic_file import write
from ldaphealth.files.private_directory import open_private
from ldaphealth.model import Verdict
from ldaphealth.publishers.verdict_file import MAX_CHARACTERS, VerdictLine, parse_line, text

# A verdict that removes a server is for the checks that began before it was written, so that
# keepalived's `retry` is another probe. The time is rounded down to whole seconds.
OUT_SECONDS = 1
IN_SECONDS = 2
LOCK = ".lock"
DIRECTORY_PREFIX = "one-shot."
POLL_SECONDS = 0.05


def directory_name() -> str:
    """Return the name of this user's directory, which the script uses too."""
    return f"{DIRECTORY_PREFIX}{os.geteuid()}"


def settings_mark(file: Path) -> str:
    """Return a text that differs for another configuration file, or after a change (inode(7)).

    OSError: there is none.
    """
    found = file.stat()
    # The clock of files is slower than two writes: so the size, too.
    return f"{found.st_dev:x}-{found.st_ino:x}-{found.st_ctime_ns:x}-{found.st_size:x}"


class SharedVerdicts:
    """The files of one cluster. Only verdicts of the same settings, by `mark`, are read."""

    def __init__(self, above: Path, cluster: str, mark: str) -> None:
        """Open the directory in `above`; OSError: it cannot be made, or others can use it too."""
        self._directory = open_private(above, directory_name(), cluster)
        self._mark = f" settings {mark}"
        self._lock = os.open(self._directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def wait(
        self, server: str, age_seconds: Callable[[], float], limit_seconds: float
    ) -> VerdictLine | None:
        """Return the verdict on a server. None: this process is to probe the cluster.

        A verdict counts if it was written since this process started, `age_seconds` ago. None locks
        the cluster until the process ends. TimeoutError: at the age `limit_seconds` another process
        is still probing. OSError: there is no locking.
        """
        while True:
            is_locked = self._try_lock()  # first: the process before may have written just now
            line = self._read(server, age_seconds())
            if line is not None or is_locked:
                return line
            if age_seconds() >= limit_seconds:
                raise TimeoutError("another check of this cluster has not ended in time")
            sleep(POLL_SECONDS)

    def write(self, verdicts: Iterable[Verdict], now: BootSeconds) -> None:
        """Write the verdicts of the cluster. OSError: the rest is not written."""
        for verdict in verdicts:
            until = now + (IN_SECONDS if verdict.in_service else OUT_SECONDS)
            line = text(verdict, until).rstrip("\n")[: MAX_CHARACTERS - len(self._mark)]
            write(self._path(verdict.server), f"{line}{self._mark}\n".encode(), 0o600)

    def _path(self, server: str) -> Path:
        return self._directory / server.partition("/")[2]

    def _try_lock(self) -> bool:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _read(self, server: str, age_seconds: float) -> VerdictLine | None:
        try:
            content, written_at = _content(self._path(server))
            line = parse_line(content.decode("ascii"))
        except (OSError, ValueError):
            return None  # none, or not one of these files: the cluster is probed
        is_new = 0.0 <= time() - written_at <= age_seconds
        is_valid = line.until > int(boot_seconds() - age_seconds)
        is_same = line.server == server and line.rest.endswith(self._mark)
        if not (is_new and is_valid and is_same):
            return None
        return replace(line, rest=line.rest.removesuffix(self._mark))


def _content(path: Path) -> tuple[bytes, EpochSeconds]:
    """Return the content of a small regular file, and when it was written; OSError, ValueError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:  # noqa: PTH123  a descriptor
        found = os.fstat(descriptor)
        content = file.read(MAX_CHARACTERS + 2) if stat.S_ISREG(found.st_mode) else b""
    if not 0 < len(content) <= MAX_CHARACTERS + 1:
        raise ValueError(f"{path}: not a file with one line")
    return content, found.st_mtime
