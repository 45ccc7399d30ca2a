"""A reader sees the old file or the new one, whenever the writer stops."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ldaphealth.files.atomic_file import remove_temporary_files, write
from tests.files.limits import files_no_larger_than, umask


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("durable", [False, True])
@pytest.mark.parametrize("content", [b"", b"x", b"\0\n\xff" * 100, b"y" * (3 << 20)])
def test_what_was_written_is_read(tmp_path: Path, content: bytes, durable: bool) -> None:
    path = tmp_path / "file"

    write(path, b"the old one", durable=durable)
    write(path, content, durable=durable)

    assert path.read_bytes() == content
    assert [*tmp_path.iterdir()] == [path]


def test_readers_never_see_half_a_file_nor_none(tmp_path: Path) -> None:
    path = tmp_path / "file"
    versions = {bytes([letter]) * (1 + letter * 1021) for letter in range(64)}
    write(path, b"\0")
    seen: set[bytes] = set()
    faults: list[object] = []
    reading, done = threading.Event(), threading.Event()

    def read() -> None:
        while not done.is_set():
            try:
                content = path.read_bytes()
            except OSError as error:
                faults.append(error)
                continue
            if content in versions:
                seen.add(content)
            else:
                faults.append(content[:20])
            reading.set()

    reader = threading.Thread(target=read)
    reader.start()
    try:
        assert reading.wait(10)
        for _ in range(20):
            for content in versions:
                write(path, content)
    finally:
        done.set()
        reader.join(10)

    assert not faults
    assert len(seen) > 1


@pytest.mark.parametrize("bits", [0o000, 0o022, 0o077, 0o177, 0o777])
@pytest.mark.parametrize("wanted", [0o644, 0o640])
def test_the_mode_is_as_asked_whatever_the_umask_is(tmp_path: Path, bits: int, wanted: int) -> None:
    path = tmp_path / "file"

    with umask(bits):
        write(path, b"first", wanted)
        assert mode(path) == wanted
        write(path, b"second", wanted)

    assert mode(path) == wanted
    assert path.read_bytes() == b"second"


def test_a_full_disk_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write(path, b"old")

    with files_no_larger_than(1 << 20), pytest.raises(OSError, match="too large"):
        write(path, b"new" * (1 << 20))

    assert path.read_bytes() == b"old"
    assert [*tmp_path.iterdir()] == [path]


def test_a_target_that_cannot_be_replaced_leaves_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "file"
    (path / "inside").mkdir(parents=True)

    with pytest.raises(IsADirectoryError):
        write(path, b"new")

    assert [*tmp_path.iterdir()] == [path]


def test_a_directory_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write(tmp_path / "gone" / "file", b"new")


def test_what_a_crash_left_behind_is_no_obstacle(tmp_path: Path) -> None:
    path = tmp_path / "file"
    (tmp_path / ".file.new").write_bytes(b"half of something longer than the new one")
    (tmp_path / ".file.new").chmod(0o600)

    write(path, b"new")

    assert path.read_bytes() == b"new"
    assert mode(path) == 0o644
    assert [*tmp_path.iterdir()] == [path]


@pytest.mark.parametrize("kind", ["FIFO", "link"])
def test_a_temporary_file_that_another_made_is_neither_opened_nor_followed(
    tmp_path: Path, kind: str
) -> None:
    path, other = tmp_path / "file", tmp_path / "other"
    other.write_bytes(b"of another")
    if kind == "FIFO":
        os.mkfifo(tmp_path / ".file.new")
    else:
        (tmp_path / ".file.new").symlink_to(other)

    write(path, b"new")

    assert path.read_bytes() == b"new"
    assert not path.is_symlink()
    assert other.read_bytes() == b"of another"


def test_a_target_that_is_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    path, other = tmp_path / "file", tmp_path / "other"
    other.write_bytes(b"of another")
    path.symlink_to(other)

    write(path, b"new")

    assert (path.read_bytes(), other.read_bytes()) == (b"new", b"of another")


def test_what_killed_processes_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    for name in (".a.new", ".b.json.new", "a", "b.new", ".hidden"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / ".directory.new").mkdir()

    assert remove_temporary_files(tmp_path) == 2
    assert {each.name for each in tmp_path.iterdir()} == {"a", "b.new", ".hidden", ".directory.new"}
    assert remove_temporary_files(tmp_path / "none") == 0


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208  the count is what matters

    for _ in range(20):
        write(tmp_path / "file", b"new", durable=True)
        with pytest.raises(IsADirectoryError):
            write(tmp_path / "directory", b"new")

    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_a_durable_file_has_its_name_on_disk_too(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    strace = shutil.which("strace")
    body = (
        "from pathlib import Path; from ldaphealth.files.atomic_file import write; "
        f"write(Path({str(tmp_path / 'file')!r}), b'x', durable=True)"
    )
    if strace is None:
        pytest.skip("strace is not here")
    done = subprocess.run(
        [strace, "-f", "-y", "-o", trace, "-e", "trace=fsync,rename", sys.executable, "-c", body],
        check=False,
        timeout=60,
        capture_output=True,
    )
    if done.returncode:
        pytest.skip("strace may not trace here")

    calls = [line.split(maxsplit=1)[1] for line in trace.read_text().splitlines()]
    assert [call.partition("(")[0] for call in calls if "fsync" in call or "rename" in call] == [
        "fsync",
        "rename",
        "fsync",
    ]
