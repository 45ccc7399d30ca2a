"""How many shards share a directory of the agent: a file in it that the first agent writes.

Without the file there is one agent for all clusters. Whoever writes it holds the lock of the
directory alone, so no agent of another division runs.
"""

from __future__ import annotations

from pathlib import Path

from ldaphealth.files.atomic_file import write
from ldaphealth.files.regular_file import read_regular_file
from ldaphealth.shard import MOST_SHARDS, PREFIX, Shard, shards_of

NAME = "shards"
MAX_BYTES = 16


class DivisionError(Exception):
    """The file has no number of shards. The message is one line with the next step."""


def read_division(directory: Path) -> int:
    """Return the number of shards, 1 without a file. DivisionError; OSError: it cannot be read."""
    path = directory / NAME
    try:
        content = read_regular_file(path, MAX_BYTES)
    except FileNotFoundError:
        return 1
    digits = content.decode("ascii", "replace").removesuffix("\n")
    if not (digits.isascii() and digits.isdigit() and 2 <= int(digits) <= MOST_SHARDS):  # noqa: PLR2004
        raise DivisionError(
            f"{path} has no number of shards: write there how many `ldaphealth agent --shard I/N` "
            "ran last, or remove it if it was one agent for all clusters"
        )
    return int(digits)


def write_division(directory: Path, count: int) -> None:
    """Note the number of shards; OSError."""
    if count == 1:
        (directory / NAME).unlink(missing_ok=True)
    else:
        write(directory / NAME, f"{count}\n".encode(), durable=True)


def shard_directories(directory: Path) -> list[Path]:
    """Return the directories of shards below one that they share, also those of other divisions."""
    return sorted(directory.glob(f"{PREFIX}*"))


def shards_here(directory: Path) -> list[Shard]:
    """Return the shards that have a directory of their own here; all of one without a division.

    Others may run on other hosts. DivisionError, OSError.
    """
    found = shards_of(read_division(directory))
    return [each for each in found if each.below(directory).is_dir()]
