"""Only the agent's user and root can change its directories, whatever the umask is."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from ldaphealth.files.own_directory import (
    PRIVATE,
    READABLE,
    UnsafeDirectoryError,
    make_directory,
    own_directory,
    refuse_link,
)
from tests.files.limits import umask

NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("bits", [0o000, 0o022, 0o077, 0o177])
@pytest.mark.parametrize("make", [make_directory, own_directory])
def test_new_directories_have_their_modes_whatever_the_umask(
    tmp_path: Path, bits: int, make: Callable[[Path, int], None]
) -> None:
    with umask(bits):
        make(tmp_path / "a" / "b" / "c", PRIVATE)

    modes = [mode(tmp_path / each) for each in ("a", "a/b", "a/b/c")]
    assert modes == [READABLE, READABLE, PRIVATE]


def test_a_directory_that_exists_is_left_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    make_directory(tmp_path, READABLE)
    own_directory(tmp_path, READABLE)

    assert mode(tmp_path) == 0o700


def test_what_an_agent_without_a_umask_left_writable_is_corrected(tmp_path: Path) -> None:
    tmp_path.chmod(0o2777)
    own_directory(tmp_path)

    assert mode(tmp_path) == 0o2755


@as_root
def test_a_directory_of_another_user_is_refused_with_the_next_step(tmp_path: Path) -> None:
    os.chown(tmp_path, NOBODY, NOBODY)

    with pytest.raises(UnsafeDirectoryError) as refused:
        own_directory(tmp_path)
    assert str(refused.value) == (
        f"{tmp_path} belongs to nobody, but the agent runs as root: "
        f"run it as that user, or chown root {tmp_path}"
    )


@as_root
def test_a_link_of_another_user_is_refused_and_one_of_root_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    own_directory(tmp_path / "link")
    os.chown(tmp_path / "link", NOBODY, NOBODY, follow_symlinks=False)

    with pytest.raises(UnsafeDirectoryError, match="link belongs to nobody"):
        own_directory(tmp_path / "link")


def test_a_file_in_its_place_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(NotADirectoryError):
            own_directory(path)


def test_a_link_is_refused_also_one_that_leads_nowhere(tmp_path: Path) -> None:
    refuse_link(tmp_path)
    refuse_link(tmp_path / "nothing")
    (tmp_path / "link").symlink_to("nothing")

    with pytest.raises(UnsafeDirectoryError, match="is a symbolic link; remove it"):
        refuse_link(tmp_path / "link")
