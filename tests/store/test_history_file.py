"""Another file takes the place of the history while it is read."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from ldaphealth.store.database import files_beside, identity_of
from ldaphealth.store.history_file import HistoryFile
from ldaphealth.store.history_reading import CHANGES, reading
from tests.store.disk import bounds

ALL = "", 1e12, 100


def opened(directory: Path) -> tuple[Path, HistoryFile]:
    """Return a file with one change, and the -wal and the -shm beside it."""
    directory.mkdir(exist_ok=True)
    path = directory / "history.sqlite3"
    file = HistoryFile(path, bounds(60, 64 << 20), time.time)
    file.add_changes([(1.0, "main/ldap1", b"first")], 1.0)
    return path, file


def mapped(path: Path) -> bool:
    """Return whether this process has the file in its memory (proc(5))."""
    number = path.stat().st_ino
    lines = Path("/proc/self/maps").read_text().splitlines()
    return any(line.split()[4] == str(number) for line in lines)


@pytest.mark.parametrize("replaced", [False, True], ids=["removed", "replaced"])
def test_a_new_file_shares_nothing_with_readers_of_the_one_that_was_there(
    tmp_path: Path, replaced: bool
) -> None:
    path, file = opened(tmp_path)
    before = [identity_of(each) for each in files_beside(path)]
    with reading(path, has_writer=True) as reader:
        path.unlink()
        if replaced:
            path.touch()
        file.add_changes([(2.0, "main/ldap1", b"second")], 2.0)

        after = [identity_of(each) for each in files_beside(path)]
        assert None not in after
        assert not {*before} & {*after}
        assert reader.execute(CHANGES, ALL).fetchall() == [(b"first",)]
    with reading(path, has_writer=True) as reader:
        assert reader.execute(CHANGES, ALL).fetchall() == [(b"second",)]
    file.close()


def test_what_came_with_another_file_stays(tmp_path: Path) -> None:
    path, file = opened(tmp_path / "ours")
    other, writer = opened(tmp_path / "other")
    with reading(path, has_writer=True):  # else SQLite itself removes what has the name
        for source, target in zip(
            (other, *files_beside(other)), (path, *files_beside(path)), strict=True
        ):
            source.rename(target)
        file.add_changes([(2.0, "main/ldap1", b"second")], 2.0)
        with reading(path, has_writer=True) as reader:
            found = reader.execute(CHANGES, ALL).fetchall()

    assert found == [(b"second",), (b"first",)]
    writer.close()
    file.close()


def test_a_reader_has_the_shared_memory_of_its_file_before_it_reads(tmp_path: Path) -> None:
    path, file = opened(tmp_path)
    file.close()
    assert not any(each.exists() for each in files_beside(path))
    with reading(path, has_writer=True):
        _, shared = files_beside(path)
        assert mapped(shared)
