"""Files and directories of the agent on this host: their kinds, owners and modes."""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Literal

from msgspec import Struct

from ldaphealth.files.division import shard_directories
from ldaphealth.files.lock_file import lock_path
from ldaphealth.settings import AgentSettings, Cluster
from ldaphealth.store.history_reading import history_path
from ldaphealth.store.override_files import override_directory
from ldaphealth.store.state_file import state_path

MOST_LOCKS = 65_536  # lines of /proc/locks
LOCK_WORDS = 8  # of a line; one that waits for a lock has `->` more
SET_ASIDE = "*.broken-*"
MOST_SET_ASIDE = 16

Use = Literal["runtime", "state", "record", "password", "key", "damaged"]


class HostFile(Struct, frozen=True, kw_only=True):
    """A file or directory: what it is used for, and what stat(2) says. `problem`: it cannot."""

    path: str
    use: Use
    exists: bool = False
    is_link: bool = False
    is_directory: bool = False
    owner: int = -1
    owner_name: str = ""
    mode: int = 0
    problem: str = ""


def host_files(agent: AgentSettings, clusters: Iterable[Cluster]) -> tuple[HostFile, ...]:
    """Return the facts of the directories, records, passwords and keys of a configuration."""
    return tuple(_facts(path, use) for path, use in _paths(agent, clusters))


def _paths(agent: AgentSettings, clusters: Iterable[Cluster]) -> Iterator[tuple[Path, Use]]:
    yield agent.runtime_directory, "runtime"
    yield agent.verdict_directory, "runtime"
    if agent.track_files:
        yield agent.track_directory, "runtime"
    state = agent.state_directory
    yield state, "state"
    yield override_directory(state), "state"
    yield from ((each, "runtime") for each in shard_directories(agent.runtime_directory))
    shards = shard_directories(state)
    yield from ((each, "state") for each in shards)
    for own in (state, *shards):
        for record in (state_path(own), history_path(own)):
            yield record, "record"
        for each in sorted(islice(_set_aside(own), MOST_SET_ASIDE)):
            yield each, "damaged"
    servers = [server for cluster in clusters for server in cluster.servers]
    checks = [each for cluster in clusters for each in cluster.checks]
    accounts = [*(each.credentials for each in servers), *(each.credentials for each in checks)]
    passwords = {each.password_file for each in accounts if each and each.password_file}
    keys = {each.tls.key_file or each.tls.certificate_file for each in servers} - {""}
    yield from ((Path(each), "password") for each in sorted(passwords))
    yield from ((Path(each), "key") for each in sorted(keys))


def _set_aside(directory: Path) -> Iterator[Path]:
    try:
        yield from directory.glob(SET_ASIDE)
    except OSError:  # the directory's own facts say so
        return


def _facts(path: Path, use: Use) -> HostFile:
    try:
        found = path.lstat()
        is_link = stat.S_ISLNK(found.st_mode)
        found = path.stat()
    except FileNotFoundError:
        return HostFile(path=str(path), use=use)
    except OSError as error:
        return HostFile(path=str(path), use=use, problem=error.strerror or str(error))
    return HostFile(
        path=str(path),
        use=use,
        exists=True,
        is_link=is_link,
        is_directory=stat.S_ISDIR(found.st_mode),
        owner=found.st_uid,
        owner_name=user_name(found.st_uid),
        mode=stat.S_IMODE(found.st_mode),
    )


def user_name(user: int) -> str:
    """Return the name of a user by the ID, or `user` and the ID."""
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"user {user}"


def lock_holder(directory: Path, locks: Path = Path("/proc/locks")) -> int | None:
    """Return the process that holds the lock of a directory, by proc_locks(5); None: none known.

    The lock itself is not tried: an agent that starts at that moment would find it taken.
    """
    try:
        found = lock_path(directory).lstat()
        lines = locks.read_text("ascii", "replace").splitlines()[:MOST_LOCKS]
    except OSError:
        return None
    major, minor = os.major(found.st_dev), os.minor(found.st_dev)
    # btrfs and overlayfs show files under another device than their locks; its major is 0.
    wanted = f":{found.st_ino}" if major == 0 else f"{major:02x}:{minor:02x}:{found.st_ino}"
    for line in lines:
        words = line.split()
        if len(words) == LOCK_WORDS and words[1] == "FLOCK" and words[5].endswith(wanted):
            return int(words[4]) if words[4].isdecimal() else None
    return None
