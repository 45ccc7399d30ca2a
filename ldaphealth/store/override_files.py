"""One small file for each server that an operator took out, for keepalived's script.

The state file has the same overrides, but a shell cannot read it. With these files a drained server
stays drained while neither the agent nor the program can give a verdict. The format is that of the
verdict files, with the end of the override twice, because the first one is on the clock of one boot
(docs/keepalived-contract.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from pathlib import Path

from ldaphealth.clocks import BootSeconds, EpochSeconds
from ldaphealth.files.atomic_file import write
from ldaphealth.files.own_directory import make_directory
from ldaphealth.files.regular_file import read_regular_file
from ldaphealth.guard import Memory, Override
from ldaphealth.model import OverrideAction
from ldaphealth.shard import WHOLE, Shard

MAGIC = "ldaphealth1"
MAX_BYTES = 1000  # of one line
MODE, DIRECTORY_MODE = 0o640, 0o750  # as the state file and its directory
# The exit statuses for MISC_CHECK, without and with misc_dynamic, as in sinks/keepalived.py.
STATUSES: Mapping[OverrideAction, str] = {"drain": "1 2", "out": "1 1"}


def override_directory(state_directory: Path) -> Path:
    """Return the directory of the files."""
    return state_directory / "overrides"


def write_override_files(  # noqa: PLR0913  the moment on two clocks
    directory: Path,
    memories: Mapping[str, Memory],
    *,
    boot_id: str,
    now: BootSeconds,
    epoch: EpochSeconds,
    shard: Shard = WHOLE,
) -> None:
    """Write the files that changed, and remove those of overrides that ended.

    `now` and `epoch` are the same moment on two clocks, and `boot_id` is this boot of the machine.
    The files of clusters of other shards are left alone. OSError: some files are as they were.
    """
    wanted = {
        path: _line(server, each, boot_id, epoch - now)
        for memory in memories.values()
        for server, each in memory.overrides.items()
        if each.action in STATUSES and (path := _path(directory, server)) is not None
    }
    for path, line in wanted.items():
        if _is_written(path, line):
            continue
        for each in (directory, path.parent):
            make_directory(each, DIRECTORY_MODE)
        write(path, line.encode(), MODE)
    for path in set(directory.glob("*/*")) - wanted.keys():
        if shard.holds(path.parent.name):
            path.unlink()


def read_override_files(
    directory: Path, *, boot_id: str, now: BootSeconds, epoch: EpochSeconds
) -> dict[str, Memory]:
    """Return the overrides by cluster; a file that cannot be read, or is another one, has none.

    `now` and `epoch` are the same moment on two clocks, and `boot_id` is this boot of the machine.
    """
    found: dict[str, dict[str, Override]] = {}
    for path in directory.glob("*/*"):
        server = f"{path.parent.name}/{path.name}"
        override = _override(path, server, boot_id, epoch - now)
        if override is not None:
            found.setdefault(path.parent.name, {})[server] = override
    return {cluster: Memory(overrides=overrides) for cluster, overrides in found.items()}


def _override(path: Path, server: str, boot_id: str, shift_seconds: float) -> Override | None:
    try:
        line = read_regular_file(path, MAX_BYTES).decode("ascii")
        magic, plain, weighted, until, name, boot, epoch, *_ = line.split()
        ends = float(until) if boot == boot_id else float(epoch) - shift_seconds
    except (OSError, ValueError):
        return None
    if (magic, name) != (MAGIC, server) or not isfinite(ends):
        return None
    actions = [each for each, written in STATUSES.items() if written == f"{plain} {weighted}"]
    return Override(actions[0], ends) if actions else None


def _path(directory: Path, server: str) -> Path | None:
    """Return the path; None if the name of the server, read from a file, is not a name."""
    parts = server.split("/")
    is_name = len(parts) == 2 and all(part and part[0] != "." for part in parts)  # noqa: PLR2004
    return directory / server if is_name and server.isascii() and server.isprintable() else None


def _line(server: str, override: Override, boot_id: str, shift_seconds: float) -> str:
    until, epoch = int(override.until), int(override.until + shift_seconds)
    by_operator = "draining" if override.action == "drain" else "forced out"
    statuses = STATUSES[override.action]
    return f"{MAGIC} {statuses} {until} {server} {boot_id} {epoch} {by_operator} by an operator\n"


def _is_written(path: Path, line: str) -> bool:
    try:
        return path.read_text() == line
    except (OSError, ValueError):
        return False
