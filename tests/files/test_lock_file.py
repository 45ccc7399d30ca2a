"""One process holds a lock, and no other user can."""

from __future__ import annotations

import os
import stat
import subprocess
import tempfile
import time
from contextlib import closing
from pathlib import Path

import pytest

from ldaphealth.files.lock_file import LockFile, holder_of
from tests.files.limits import umask


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "agent.lock"


@pytest.mark.parametrize("bits", [0o000, 0o022, 0o077])
@pytest.mark.parametrize("before", [None, 0o666])
def test_the_file_is_for_its_owner_alone(path: Path, bits: int, before: int | None) -> None:
    if before is not None:
        path.touch()
        path.chmod(before)
    with umask(bits), closing(LockFile(path)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_cannot_take_the_lock() -> None:
    with tempfile.TemporaryDirectory() as directory:  # one that other users can enter
        path = Path(directory) / "agent.lock"
        path.parent.chmod(0o755)
        LockFile(path).close()
        command = ("flock", "--nonblock", path, "true")
        taken = subprocess.run(
            command,
            check=False,
            user=65534,
            group=65534,
            extra_groups=[],
            capture_output=True,
            text=True,
            timeout=30,
        )

        assert "Permission denied" in taken.stderr
        with closing(LockFile(path)):
            pass


def test_a_second_holder_is_refused_until_the_first_has_closed(path: Path) -> None:
    with closing(LockFile(path)), pytest.raises(BlockingIOError):
        LockFile(path)
    with closing(LockFile(path)):
        pass


@pytest.mark.parametrize("kind", ["FIFO", "directory", "link"])
def test_what_is_no_file_is_refused_and_never_waited_for(path: Path, kind: str) -> None:
    if kind == "FIFO":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    else:
        path.symlink_to("elsewhere")
    began = time.monotonic()

    with pytest.raises(OSError, match=f"is a .*{kind}, not a regular file"):
        LockFile(path)

    assert time.monotonic() - began < 1.0
    assert not (path.parent / "elsewhere").exists()


def test_it_is_noticed_when_the_file_is_no_longer_there(path: Path) -> None:
    with closing(LockFile(path)) as lock:
        found = [lock.is_current]
        path.unlink()
        found.append(lock.is_current)
        path.touch()
        found.append(lock.is_current)

    assert found == [True, False, False]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_refused(path: Path) -> None:
    path.touch()
    os.chown(path, 65534, 65534)

    with pytest.raises(PermissionError, match="belongs to another user; remove it"):
        LockFile(path)


def test_the_file_has_the_process_and_says_which_one_left_it(path: Path) -> None:
    assert holder_of(path) == 0

    first = LockFile(path)
    assert (first.left_by, holder_of(path)) == (0, os.getpid())
    first.close()
    assert holder_of(path) == 0

    path.write_text("4711\n")
    with closing(LockFile(path)) as second:
        assert second.left_by == 4711


@pytest.mark.parametrize("content", [b"", b"x", b"\x00" * 4096, b"-", "\u0665".encode() * 99])
def test_any_content_is_no_reason_not_to_hold_it(path: Path, content: bytes) -> None:
    path.touch(0o600)
    path.write_bytes(content)

    with closing(LockFile(path)) as lock:
        assert lock.left_by == 0
        assert holder_of(path) == os.getpid()


def test_a_shared_lock_keeps_out_only_who_wants_it_alone(path: Path) -> None:
    with closing(LockFile(path, shared=True)), closing(LockFile(path, shared=True)) as second:
        assert (second.left_by, holder_of(path)) == (0, 0)
        with pytest.raises(BlockingIOError):
            LockFile(path)

    with closing(LockFile(path)), pytest.raises(BlockingIOError):
        LockFile(path, shared=True)


def test_who_holds_it_alone_may_share_it(path: Path) -> None:
    with closing(LockFile(path)) as first:
        first.share()
        assert holder_of(path) == 0
        with closing(LockFile(path, shared=True)) as second:
            assert second.is_current
        with pytest.raises(BlockingIOError):
            LockFile(path)
