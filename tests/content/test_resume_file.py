"""An interrupted comparison goes on from its own file and from nobody else's."""

from __future__ import annotations

from pathlib import Path

import pytest

from ldaphealth.content.difference import Difference, EntryVersion
from ldaphealth.content.progress import ComparisonProgress
from ldaphealth.content.resume_file import (
    ComparedContents,
    check_place,
    load_progress,
    save_progress,
)
from ldaphealth.content.slices import END, Cursor
from ldaphealth.content.values import ValueSelection

SERVERS = {"c/a": "ldap://192.0.2.1", "c/b": "ldap://192.0.2.2"}
SUFFIX = "dc=x"
COMPARED = ComparedContents(SERVERS, SUFFIX)


def progress() -> ComparisonProgress:
    found = Difference("cn=é", {"c/a": EntryVersion("u", "csn")}, ("c/b",))
    half = ComparisonProgress(cursor=Cursor(100, END // 2, END // 7), most=10)
    half.add_entries({"c/a": 5, "c/b": 4})
    half.add_differences([found])
    half.not_compared["c/c"] = "it was down"
    half.attributes.update(("cn", "sn"))
    half.unreadable["userpassword"] = ("c/b",)
    return half


def test_all_of_it_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "resume"
    save_progress(path, progress(), COMPARED)

    assert load_progress(path, COMPARED) == progress()
    assert path.stat().st_mode & 0o777 == 0o600


def test_no_file_is_a_beginning(tmp_path: Path) -> None:
    assert load_progress(tmp_path / "none", COMPARED) is None


@pytest.mark.parametrize(
    "compared",
    [
        ComparedContents(SERVERS | {"c/a": "ldap://192.0.2.9"}, SUFFIX),
        ComparedContents(SERVERS, "dc=y"),
        ComparedContents({}, SUFFIX),
        ComparedContents(SERVERS, SUFFIX, ValueSelection(is_on=True)),
    ],
    ids=["another URI", "another suffix", "other servers", "with values"],
)
def test_the_file_of_something_else_is_refused(compared: ComparedContents, tmp_path: Path) -> None:
    path = tmp_path / "resume"
    save_progress(path, progress(), COMPARED)

    with pytest.raises(ValueError, match="other servers"):
        load_progress(path, compared)


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[1]", b"\xff", b'{"format":1}', b"x" * 1000],
    ids=["empty", "no keys", "a list", "no text", "some keys", "no JSON"],
)
def test_what_is_no_such_file_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "resume"
    path.write_bytes(content)
    path.chmod(0o600)

    with pytest.raises(ValueError, match="not a file of an interrupted comparison"):
        load_progress(path, COMPARED)


@pytest.mark.parametrize("cursor", [Cursor(0), Cursor(1, END + 1), Cursor(1, 0, 0)])
def test_a_place_that_there_is_not_is_refused(cursor: Cursor, tmp_path: Path) -> None:
    path = tmp_path / "resume"
    save_progress(path, ComparisonProgress(cursor=cursor), COMPARED)

    with pytest.raises(ValueError, match="another version"):
        load_progress(path, COMPARED)


def test_a_file_that_others_can_write_or_a_link_is_refused(tmp_path: Path) -> None:
    path, link = tmp_path / "resume", tmp_path / "link"
    save_progress(path, progress(), COMPARED)
    link.symlink_to(path)

    with pytest.raises(ValueError, match="link"):
        load_progress(link, COMPARED)
    path.chmod(0o622)
    with pytest.raises(ValueError, match="only you"):
        load_progress(path, COMPARED)


def test_a_directory_that_others_can_write_to_is_refused(tmp_path: Path) -> None:
    check_place(tmp_path / "resume")
    tmp_path.chmod(0o1777)  # as /tmp is

    with pytest.raises(ValueError, match="other users can write"):
        check_place(tmp_path / "resume")
    with pytest.raises(ValueError, match="No such file"):
        check_place(tmp_path / "none" / "resume")
