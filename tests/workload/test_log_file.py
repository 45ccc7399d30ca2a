"""Log files: compressed, cut off, without line feeds, and in the order of their age."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ldaphealth.workload.log_file import (
    CHUNK_BYTES,
    LONGEST_LINE,
    LogFileError,
    chunks_of_lines,
    oldest_first,
)

LINES = [b"line %d" % number for number in range(200_000)]
CONTENT = b"\n".join(LINES) + b"\n"
FORMS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
}


def read(path: Path, steps: list[int] | None = None) -> list[bytes]:
    with path.open("rb") as file:
        progress = steps.append if steps is not None else lambda _: None
        return [line for lines in chunks_of_lines(file, progress) for line in lines]


def read_into(found: list[bytes], path: Path) -> None:
    with path.open("rb") as file:
        for lines in chunks_of_lines(file):
            found += lines


@pytest.mark.parametrize("compress", FORMS.values(), ids=FORMS)
def test_every_line_is_read_whatever_the_file_is_called(
    compress: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    path, steps = tmp_path / "slapd.log.1", list[int]()
    path.write_bytes(compress(CONTENT))

    assert read(path, steps) == LINES
    assert sum(steps) == path.stat().st_size


@pytest.mark.parametrize("form", ["gzip", "bzip2", "xz"])
def test_what_stands_before_damage_is_read(form: str, tmp_path: Path) -> None:
    path = tmp_path / "slapd.log"
    path.write_bytes(FORMS[form](os.urandom(1 << 17) + CONTENT * 3)[: -(1 << 12)])
    found: list[bytes] = []

    with pytest.raises(LogFileError):
        read_into(found, path)

    assert LINES[5] in found


def test_a_last_line_without_a_line_feed_is_read(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"a\nb")

    assert read(tmp_path / "log") == [b"a", b"b"]


def test_a_file_without_line_feeds_is_not_kept_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"x" * CHUNK_BYTES * 5)
    longest = max(map(len, read(path)))

    assert longest <= LONGEST_LINE


def test_rotated_files_are_read_from_the_oldest(tmp_path: Path) -> None:
    names = ("slapd.log", "slapd.log.1", "slapd.log.2.gz")
    for age, name in enumerate(names):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (0, 1000 - age))

    ordered = oldest_first(tmp_path / name for name in names)

    assert [path.name for path in ordered] == [*reversed(names)]
