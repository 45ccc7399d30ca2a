"""The file from which an interrupted comparison continues.

It contains DNs, and its contents are trusted, so no other user may read, write or replace it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from ldaphealth.content.difference import Difference
from ldaphealth.content.progress import ComparisonProgress
from ldaphealth.content.slices import END, Cursor
from ldaphealth.content.values import NO_VALUES, ValueSelection
from ldaphealth.files import atomic_file

FORMAT = 2
MOST_BYTES = 64 << 20
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class ResumeFile(Struct, forbid_unknown_fields=True, kw_only=True):
    """The contents of the file. Numbers of 128 bits are hexadecimal, because JSON has no such."""

    format: int
    servers: dict[str, str]  # the URI by server ID
    suffix: str
    wanted: int
    low: str
    width: str
    most: int
    entries: dict[str, int]
    differences: list[Difference]
    different: int
    unsettled: int
    lacking: dict[str, int]
    not_compared: dict[str, str]
    is_with_values: bool
    excluded: list[str]
    attributes: set[str]
    unreadable: dict[str, tuple[str, ...]]


class ComparedContents(Struct, frozen=True):
    """What is compared: servers (the URI by ID), a suffix, and values."""

    servers: Mapping[str, str]
    suffix: str
    values: ValueSelection = NO_VALUES


def save_progress(path: Path, progress: ComparisonProgress, compared: ComparedContents) -> None:
    """Write the file; with OSError the old file remains."""
    cursor = progress.cursor
    saved = ResumeFile(
        format=FORMAT,
        servers=dict(compared.servers),
        suffix=compared.suffix,
        wanted=cursor.wanted,
        low=f"{cursor.low:x}",
        width=f"{cursor.width:x}",
        most=progress.most,
        entries=progress.entries,
        differences=progress.differences,
        different=progress.different,
        unsettled=progress.unsettled,
        lacking=progress.lacking,
        not_compared=progress.not_compared,
        is_with_values=compared.values.is_on,
        excluded=sorted(compared.values.excluded),
        attributes=progress.attributes,
        unreadable=progress.unreadable,
    )
    atomic_file.write(path, msgspec.json.encode(saved), 0o600)


def load_progress(path: Path, compared: ComparedContents) -> ComparisonProgress | None:
    """Return the progress in the file, None if there is no file; ValueError if it is unusable."""
    content = _content(path)
    if content is None:
        return None
    try:
        saved = msgspec.json.decode(content, type=ResumeFile)
        low, width = int(saved.low, 16), int(saved.width, 16)
    except (msgspec.DecodeError, ValueError) as error:
        raise ValueError(f"{path}: not a file of an interrupted comparison: {error}") from error
    if saved.format != FORMAT or not (0 <= low <= END and 0 < width <= END and saved.wanted > 0):
        raise ValueError(f"{path}: written by another version of this program; remove it")
    values = ValueSelection(saved.is_with_values, frozenset(saved.excluded))
    if ComparedContents(saved.servers, saved.suffix, values) != compared:
        raise ValueError(
            f"{path}: written for other servers, another suffix or other values; use another file"
        )
    return ComparisonProgress(
        cursor=Cursor(saved.wanted, low, width),
        most=saved.most,
        entries=saved.entries,
        differences=saved.differences,
        different=saved.different,
        unsettled=saved.unsettled,
        lacking=saved.lacking,
        not_compared=saved.not_compared,
        attributes=saved.attributes,
        unreadable=saved.unreadable,
    )


def check_place(path: Path) -> None:
    """Raise ValueError if other users could replace the file, as in /tmp."""
    try:
        mode = path.parent.stat().st_mode
    except OSError as error:
        raise ValueError(f"{path.parent}: {error.strerror}") from error
    if mode & OTHERS_WRITE:
        raise ValueError(
            f"{path}: other users can write to {path.parent}; use a directory of your own"
        )
    if not os.access(path.parent, os.W_OK):
        raise ValueError(f"{path}: no permission to write to {path.parent}")


def _content(path: Path) -> bytes | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from error
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        is_own = status.st_uid == os.geteuid() and not status.st_mode & OTHERS_WRITE
        if not stat.S_ISREG(status.st_mode) or not is_own or status.st_size > MOST_BYTES:
            raise ValueError(f"{path}: not a regular file of yours that only you can write to")
        return file.read()
