"""Segments on disk: what is torn or damaged ends them, and the bounds delete the oldest ones."""

from __future__ import annotations

import os
import random
import stat
from pathlib import Path

import pytest
from msgspec.structs import replace

from ldaphealth.clocks import DAY_SECONDS
from ldaphealth.store import journal_files
from ldaphealth.store.journal_bounds import delete_excess, too_old
from ldaphealth.store.journal_files import (
    MAGIC,
    DamagedError,
    Segment,
    SegmentFile,
    read_frames,
    read_summary,
    segments_by_cluster,
)

NOW = 1_767_225_600.0
FRAMES = 5


def made(directory: Path, cluster: str = "c", *, frames: int = FRAMES, now: float = NOW) -> Path:
    file = SegmentFile(directory, cluster, now)
    for frame in range(frames):
        for row in range(10):
            file.add([frame, row, "a text of some length"])
        file.flush()
    file.close()
    return file.path


def read(path: Path) -> list[int]:
    """Return the numbers of the frames that can be read."""
    found = []
    try:
        for rows in read_frames(path):
            assert len(rows) == 10
            found += [rows[0][0]]
    except DamagedError:
        pass
    return found


def test_a_segment_comes_back_and_its_name_is_its_beginning(tmp_path: Path) -> None:
    path = made(tmp_path / "new")
    assert read(path) == [*range(FRAMES)]
    assert path.name == "c.20260101T000000Z.journal"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o750
    ((found,),) = segments_by_cluster(tmp_path / "new").values()
    assert (found.path, found.cluster, found.began) == (path, "c", NOW)


def test_two_segments_of_the_same_second_have_two_names(tmp_path: Path) -> None:
    one, other = made(tmp_path), made(tmp_path)
    assert one != other
    assert [each.path for each in segments_by_cluster(tmp_path)["c"]] == [one, other]


def test_a_torn_end_is_cut_at_each_length(tmp_path: Path) -> None:
    path = made(tmp_path)
    content = path.read_bytes()
    before = 0
    for length in range(len(content)):
        path.write_bytes(content[:length])
        frames = len([*read_frames(path)])  # without an error
        assert before <= frames <= before + 1
        before = frames
    assert before == FRAMES - 1


def test_whatever_is_changed_the_frames_before_it_are_read_and_nothing_else(
    tmp_path: Path,
) -> None:
    path = made(tmp_path)
    content, chance = path.read_bytes(), random.Random(1)  # noqa: S311  not for a secret
    for _ in range(2000):
        changed = bytearray(content)
        for _ in range(chance.randint(1, 3)):
            changed[chance.randrange(len(changed))] ^= chance.randint(1, 255)
        path.write_bytes(changed)
        found = read(path)
        assert found == [*range(len(found))]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"ldaphealth journal 2\n", "another version"),
        (b"\x7fELF and so on, for a while", "not a file of the journal"),
        (MAGIC + b"\xff" * 8, "a frame of"),
    ],
)
def test_a_newer_or_foreign_file_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "c.20260101T000000Z.journal"
    path.write_bytes(content)
    with pytest.raises(DamagedError, match=message):
        [*read_frames(path)]


def test_the_summary_of_an_ended_segment_is_found_without_its_frames(tmp_path: Path) -> None:
    file = SegmentFile(tmp_path, "c", NOW)
    for number in range(FRAMES):
        file.add([number, *["row"] * 9])
        file.flush()
    assert read_summary(file.path) is None
    file.add([FRAMES])
    file.end({"bad": ["search"], "least": 1.5})
    file.close()
    content = file.path.read_bytes()
    assert read_summary(file.path) == {"bad": ["search"], "least": 1.5}
    assert [len(each) for each in read_frames(file.path)] == [1] * (FRAMES + 1)

    for length in range(len(content)):
        file.path.write_bytes(content[:length])
        assert read_summary(file.path) is None
    file.path.write_bytes(content[:-1] + b"\xff")
    with pytest.raises(DamagedError, match="checksum"):
        read_summary(file.path)


def test_a_fifo_does_not_delay_a_reader(tmp_path: Path) -> None:
    path = tmp_path / "c.20260101T000000Z.journal"
    os.mkfifo(path)
    with pytest.raises(OSError, match="FIFO"):
        [*read_frames(path)]


def test_a_frame_that_would_fill_the_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = made(tmp_path)
    monkeypatch.setattr(journal_files, "LARGEST_FRAME", 100)
    with pytest.raises(DamagedError):
        [*read_frames(path)]


def test_a_segment_whose_file_was_removed_cannot_be_continued(tmp_path: Path) -> None:
    file = SegmentFile(tmp_path / "new", "c", NOW)
    file.add([1])
    file.flush()
    file.path.unlink()
    file.add([2])
    with pytest.raises(FileNotFoundError):
        file.flush()
    file.close()


def test_the_oldest_of_all_clusters_go_first_and_never_an_open_one(tmp_path: Path) -> None:
    for name in ("a", "b"):
        for hour in range(4):
            made(tmp_path, name, now=NOW + 3600.0 * hour + (name == "b"))
    (first, *_), (second, *_) = segments_by_cluster(tmp_path).values()
    excess, oldest = delete_excess(
        tmp_path, keep_days=1, max_bytes=first.bytes * 5, open_now={second.path}
    )
    kept = {name: [each.began for each in of] for name, of in segments_by_cluster(tmp_path).items()}
    assert len(excess) == 3
    assert kept == {
        "a": [NOW + 7200, NOW + 10800],
        "b": [NOW + 1, NOW + 7201, NOW + 10801],
    } or kept == {"a": [NOW, NOW + 7200, NOW + 10800], "b": [NOW + 7201, NOW + 10801]}
    assert oldest == min(began for of in kept.values() for began in of)


def test_other_files_of_the_directory_are_no_segments_and_stay(tmp_path: Path) -> None:
    gone = made(tmp_path, "with.dots-and_more")
    others = ["history.sqlite", "c.journal", ".20260101T000000Z.journal", "c.20260101T000000Z"]
    for name in others:
        (tmp_path / name).touch()
    (found,) = segments_by_cluster(tmp_path)["with.dots-and_more"]
    assert found.path == gone
    delete_excess(tmp_path, keep_days=1, max_bytes=0)
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted(others)


def test_a_missing_directory_has_no_segments(tmp_path: Path) -> None:
    assert segments_by_cluster(tmp_path / "missing") == {}
    assert delete_excess(tmp_path / "missing", keep_days=1, max_bytes=0) == ([], 0.0)


def test_days_count_while_the_agent_runs_whatever_the_time_of_day_is(tmp_path: Path) -> None:
    hour = 3600.0
    found = [Segment(tmp_path / str(n), "c", NOW + n * hour, 1, hour) for n in range(49)]
    far = Segment(tmp_path / "far", "c", NOW + 10 * 365 * DAY_SECONDS, 1, hour)
    assert [*too_old(found, 2)] == [found[0]]
    assert [*too_old([*found[1:], far], 2)] == [found[1]]
    twice = [replace(each, path=tmp_path / f"b{each.path.name}", cluster="b") for each in found]
    assert {each.began for each in too_old([*found, *twice], 2)} <= {NOW, NOW + hour}
    wrong = Segment(tmp_path / "wrong", "c", NOW, 1, 365 * DAY_SECONDS)  # the clock was set in it
    assert [*too_old([wrong, *found[:40]], 2)] == []
