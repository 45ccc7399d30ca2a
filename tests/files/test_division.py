"""The file that says how many shards share a directory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ldaphealth.files.division import DivisionError, read_division, shards_here, write_division
from ldaphealth.shard import WHOLE, Shard


def test_without_a_file_there_is_one_agent(tmp_path: Path) -> None:
    assert read_division(tmp_path) == 1
    assert read_division(tmp_path / "missing") == 1
    assert shards_here(tmp_path) == [WHOLE]


@pytest.mark.parametrize("count", [2, 4, 256])
def test_a_number_is_read_again(tmp_path: Path, count: int) -> None:
    write_division(tmp_path, count)

    assert read_division(tmp_path) == count
    write_division(tmp_path, 1)
    assert [*tmp_path.iterdir()] == []


def test_the_shards_of_this_host_are_those_that_have_a_directory(tmp_path: Path) -> None:
    write_division(tmp_path, 4)
    for index in (2, 4, 5):
        (tmp_path / f"shard-{index}").mkdir()

    assert shards_here(tmp_path) == [Shard(2, 4), Shard(4, 4)]


@pytest.mark.parametrize(
    "content", [b"", b"x", b"0", b"1", b"257", b"-4", b"4 ", b"4\n\n", b"9" * 99]
)
def test_what_is_no_number_of_shards_is_not_taken_for_one(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "shards").write_bytes(content)

    with pytest.raises(DivisionError, match=r"/shards has no number of shards: write there how"):
        read_division(tmp_path)


def test_a_fifo_is_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "shards")

    with pytest.raises(OSError, match="is a FIFO, not a regular file"):
        read_division(tmp_path)
