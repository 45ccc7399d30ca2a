"""The directories of the agent: owned by its user, locked, and made again if they are removed.

`assembly.py` claims them at the start, and control/control_socket.py the runtime directory again.
An agent of all clusters holds the lock of a directory alone. Shards share it, and each one holds
the lock of its own directory below.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic, sleep

from ldaphealth.files.atomic_file import remove_temporary_files
from ldaphealth.files.division import DivisionError, read_division, write_division
from ldaphealth.files.lock_file import LockFile, holder_of, lock_path
from ldaphealth.files.own_directory import UnsafeDirectoryError, own_directory, refuse_link
from ldaphealth.publishers.shared_verdicts import DIRECTORY_PREFIX
from ldaphealth.shard import WHOLE, Shard, shards_of

HINT = "agent.runtime_directory and agent.state_directory name its directories"
SHARED_SECONDS = 5.0  # for another shard to note the division, and to divide the state
POLL_SECONDS = 0.02


class DirectoryError(Exception):
    """The agent cannot use a directory. The message is one line with the reason."""


class ClaimedDirectory:
    """A directory that no other agent uses, until `close`. DirectoryError: it cannot be claimed.

    Shards of one division use it together, and no shard twice. `left_by` is the process ID of an
    agent that used it before and was killed, else 0. `divide` is called with the numbers of shards
    before and now if they differ, while no other agent runs. It may raise OSError.
    """

    def __init__(
        self,
        path: Path,
        mode: int,
        shard: Shard = WHOLE,
        divide: Callable[[int, int], None] = lambda _before, _now: None,
    ) -> None:
        self._path, self._mode, self._shard, self._divide = path, mode, shard, divide
        self._locks = self._claim()
        self.left_by = self._locks[-1].left_by

    def claim_again(self) -> None:
        """Claim the directory again if it was removed or replaced. DirectoryError: it cannot be."""
        if all(each.is_current for each in self._locks):
            return
        before, self._locks = self._locks, self._claim()
        for each in before:
            each.close()

    def close(self) -> None:
        """Let another agent claim it."""
        for each in self._locks:
            each.close()

    def _claim(self) -> list[LockFile]:
        """Return the locks, that of this agent alone last."""
        with ExitStack() as undo, _as_directory_error():
            own_directory(self._path, self._mode)
            locks = [self._common_lock()]
            undo.callback(locks[0].close)
            if not self._shard.is_whole:
                locks.append(self._own_lock(self._shard.below(self._path)))
            undo.pop_all()
        return locks

    def _common_lock(self) -> LockFile:
        """Return the lock of the directory, shared with the other shards."""
        try:
            lock = LockFile(lock_path(self._path))
        except BlockingIOError as error:
            if self._shard.is_whole:
                raise DirectoryError(self._used_by_others()) from error
            return self._shared_lock()
        with ExitStack() as undo:
            undo.callback(lock.close)
            before = read_division(self._path)
            if before != self._shard.count:
                self._divide(before, self._shard.count)
                write_division(self._path, self._shard.count)
            if not self._shard.is_whole:
                self._share(lock)
            undo.pop_all()
        return lock

    def _share(self, lock: LockFile) -> None:
        try:
            lock.share()
        except BlockingIOError as error:  # another agent took it at this moment
            raise DirectoryError(self._used_by_others()) from error

    def _shared_lock(self) -> LockFile:
        """Return the lock while others hold it. DirectoryError: they are of another division."""
        until = monotonic() + SHARED_SECONDS
        while True:
            try:
                lock = LockFile(lock_path(self._path), shared=True)
            except BlockingIOError as error:  # an agent of all clusters, or a shard that starts
                if monotonic() >= until:
                    raise DirectoryError(self._used_by_others()) from error
                sleep(POLL_SECONDS)
            else:
                break
        if read_division(self._path) == self._shard.count:
            return lock
        lock.close()
        raise DirectoryError(self._used_by_others())

    def _own_lock(self, own: Path) -> LockFile:
        refuse_link(own)
        own_directory(own, self._mode)
        try:
            return LockFile(lock_path(own))
        except BlockingIOError as error:
            raise DirectoryError(_used(own, "'ldaphealth-shard@*'")) from error

    def _used_by_others(self) -> str:
        """Return a sentence that names the agents that run, and what to do."""
        division = read_division(self._path)
        running = [*_running(self._path, shards_of(division))] if division > 1 else []
        if not running:
            return _used(self._path)
        mine = "an agent of all clusters" if self._shard.is_whole else f"shard {self._shard}"
        return (
            f"{self._path} is used by shard {' and '.join(running)}: {mine} can start when all of "
            "them have ended (`systemctl stop 'ldaphealth-shard@*'`)"
        )


def own_tree(directory: Path) -> None:
    """Create a directory below a claimed one, or check it and those in it; DirectoryError."""
    with _as_directory_error():
        refuse_link(directory)
        own_directory(directory)
        for each in directory.iterdir():
            refuse_link(each)
            if each.is_dir():
                own_directory(each)


@contextmanager
def _as_directory_error() -> Iterator[None]:
    try:
        yield
    except (UnsafeDirectoryError, DivisionError) as error:
        raise DirectoryError(str(error)) from error
    except OSError as error:
        raise DirectoryError(f"{error.filename}: {error.strerror}; {HINT}") from error


def clear_temporary_files(own: Iterable[Path], by_cluster: Iterable[Path], shard: Shard) -> int:
    """Remove the unfinished files in an agent's own directories and those in them; return how many.

    Of directories by cluster that shards share, only those of its clusters are its own. One that
    cannot be removed stays: the next write replaces it.
    """
    found = 0
    for directory in (
        *own,
        *(each for top in own for each in _directories_in(top)),
        *(each for top in by_cluster for each in _directories_in(top) if shard.holds(each.name)),
    ):
        if directory.name.startswith(DIRECTORY_PREFIX):  # scripts may write there now
            continue
        try:
            found += remove_temporary_files(directory)
        except OSError:
            continue
    return found


def _directories_in(top: Path) -> list[Path]:
    return [each for each in top.glob("*") if each.is_dir()]


def _running(directory: Path, shards: Iterable[Shard]) -> Iterator[str]:
    """Yield each shard that runs by what its lock says. A killed one has left its process ID."""
    for each in shards:
        holder = holder_of(lock_path(each.below(directory)))
        if holder and Path("/proc", str(holder)).exists():
            yield f"{each} (process {holder})"


def _used(directory: Path, unit: str = "ldaphealth-agent") -> str:
    """Return a sentence on the one agent that uses a directory."""
    holder = holder_of(lock_path(directory))
    which = f" (process {holder})" if holder else ""
    step = f"`systemctl status {unit}`, or `pgrep -af ldaphealth`, shows it"
    return f"another agent uses {directory}{which}; {step}"
