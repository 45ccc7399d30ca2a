"""Files of records, each a line of JSON, so that a damaged record costs no other one.

The first line is the header: the version, how many records follow, and when they were written.
`state_file.py` and `kept_observations.py` define both.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from ldaphealth.files.atomic_file import write
from ldaphealth.files.regular_file import read_regular_file
from ldaphealth.text.quantity import quantity

MAX_BYTES = 16 << 20
MAX_DAMAGED = 1000  # records; a file with more is none of this program
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")  # proc(5): another one after each boot
DECODE_ERRORS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The first line. Files add fields of their own."""

    version: int
    records: int


class _AnyVersion(msgspec.Struct, frozen=True):
    version: int


H = TypeVar("H", bound=Header)
R = TypeVar("R")


class Loaded(msgspec.Struct, Generic[H, R], frozen=True):
    """What can be read of a file. `problem` is one line; empty: all of it, or there is no file."""

    header: H | None = None
    records: Sequence[R] = ()
    problem: str = ""


def boot_id() -> str:
    """Return the ID of this boot of the machine."""
    return BOOT_ID.read_text().strip()


def save_records(
    path: Path, header: Header, records: Sequence[msgspec.Struct], *, durable: bool
) -> None:
    """Write the file. OSError: the old one is left as it was."""
    content = msgspec.json.Encoder().encode_lines([header, *records])
    if len(content) > MAX_BYTES:
        raise OSError(errno.EFBIG, f"larger than {MAX_BYTES} bytes", str(path))
    write(path, content, 0o640, durable=durable)


def load_records(
    path: Path,
    header: type[H],
    record: type[R],
    version: int,
    lines_of_version_1: Callable[[bytes], Sequence[bytes]],
) -> Loaded[H, R]:
    """Return what can be read of a file, whatever is in it. A FIFO does not delay it.

    `lines_of_version_1` gets a file of version 1, which was one document, and returns its lines.
    """
    try:
        content = read_regular_file(path, MAX_BYTES)
    except FileNotFoundError:
        return Loaded()
    except OSError as error:
        return Loaded(problem=error.strerror or str(error))
    if _version_of(content) == 1:
        try:
            lines = lines_of_version_1(content)
        except DECODE_ERRORS as error:
            return Loaded(problem=str(error))
    else:
        lines = content[:MAX_BYTES].splitlines()
    head = _header(lines, header)
    records, damaged = _records(lines[1:], record)
    too_large = f"larger than {MAX_BYTES} bytes" if len(content) > MAX_BYTES else ""
    problem = too_large or _problem(content, version, head, len(records), damaged)
    return Loaded(head, records, problem)


def _version_of(content: bytes) -> int | None:
    try:
        return msgspec.json.decode(content.partition(b"\n")[0], type=_AnyVersion).version
    except DECODE_ERRORS:
        return None


def _header(lines: Sequence[bytes], header: type[H]) -> H | None:
    try:
        return msgspec.json.decode(lines[0], type=header) if lines else None
    except DECODE_ERRORS:
        return None


def _records(lines: Sequence[bytes], record: type[R]) -> tuple[list[R], list[str]]:
    """Return the records that can be read, and the errors of the others."""
    decoder, found, damaged = msgspec.json.Decoder(record), list[R](), list[str]()
    for line in lines:
        try:
            found.append(decoder.decode(line))
        except DECODE_ERRORS as error:
            damaged.append(str(error))
            if len(damaged) > MAX_DAMAGED:
                break
    return found, damaged


def _problem(
    content: bytes, version: int, head: Header | None, found: int, damaged: Sequence[str]
) -> str:
    known = _version_of(content)
    if known is not None and known not in {1, version}:
        return f"version {known}; this program knows {version}"
    if head is None:
        return "the first line is damaged"
    if damaged:
        return f"{len(damaged)} of {quantity(found + len(damaged), 'record')} damaged: {damaged[0]}"
    if found != head.records:
        return f"{found} of {quantity(head.records, 'record')} found"
    return ""
