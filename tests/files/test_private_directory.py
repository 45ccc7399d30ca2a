"""A directory of this user alone: made whatever the umask is, refused if another user has it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ldaphealth.files.private_directory import open_private

NOBODY = 65534
NAME = "mine"


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o177, 0o777])
def test_it_is_for_this_user_alone_whatever_the_umask_is(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        made = open_private(tmp_path, NAME, "c")
    finally:
        os.umask(before)

    (made / "file").write_text("x")
    assert (tmp_path / NAME / "c" / "file").read_text() == "x"
    for each in (tmp_path / NAME, tmp_path / NAME / "c"):
        assert each.stat().st_mode & 0o7777 == 0o700


def test_it_is_opened_again(tmp_path: Path) -> None:
    (open_private(tmp_path, NAME, "c") / "file").write_text("x")

    assert (open_private(tmp_path, NAME, "c") / "file").read_text() == "x"


def a_link(path: Path) -> None:
    path.with_name("elsewhere").mkdir(mode=0o700)
    path.symlink_to("elsewhere")


def a_file(path: Path) -> None:
    path.write_text("")


def a_fifo(path: Path) -> None:
    os.mkfifo(path)


def one_for_the_group(path: Path) -> None:
    path.mkdir()
    path.chmod(0o770)


def one_that_others_can_read_and_so_lock(path: Path) -> None:
    path.mkdir()
    path.chmod(0o755)


def one_of_another_user(path: Path) -> None:
    if os.geteuid():
        pytest.skip("only root can give a directory away")
    path.mkdir(mode=0o700)
    os.chown(path, NOBODY, NOBODY)


@pytest.mark.parametrize("names", [(NAME,), ("above", NAME)], ids=["top", "below"])
@pytest.mark.parametrize(
    "plant",
    [
        a_link,
        a_file,
        a_fifo,
        one_for_the_group,
        one_that_others_can_read_and_so_lock,
        one_of_another_user,
    ],
)
def test_what_another_user_could_have_put_there_is_refused(
    tmp_path: Path, plant: Callable[[Path], None], names: tuple[str, ...]
) -> None:
    open_private(tmp_path, *names[:-1], "something")
    plant(tmp_path.joinpath(*names))

    with pytest.raises(OSError, match=r"."):
        open_private(tmp_path, *names)


def test_a_directory_that_is_exchanged_after_it_was_opened_is_not_followed(tmp_path: Path) -> None:
    opened = open_private(tmp_path, NAME)
    (tmp_path / NAME).rename(tmp_path / "before")
    (tmp_path / NAME).mkdir()

    (opened / "file").write_text("x")

    assert (tmp_path / "before" / "file").exists()
    assert not (tmp_path / NAME / "file").exists()
