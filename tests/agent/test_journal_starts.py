"""What the journal shows of starts of the agent, and of the time in which none ran."""

from __future__ import annotations

import os
from pathlib import Path

from ldaphealth.agent.journal_segment import SegmentWriter
from ldaphealth.agent.journal_starts import JournalStart, journal_starts, starts_document
from ldaphealth.agent.pool import Pool
from ldaphealth.agent.pool_events import Began
from ldaphealth.checks import find
from ldaphealth.store.journal_files import segments_by_cluster
from tests.agent.recorded import START, Recording
from tests.agent.simulated_site import Site

SECONDS = 4000.0  # more than one segment


def recorded(directory: Path, seed: int) -> Pool:
    """Let a site run, write its journal, and return its pool."""
    site = Site(seed=seed)
    recording = Recording(site, directory)
    while site.now < SECONDS:
        site.step()
    recording.close()
    for each in segments_by_cluster(directory)["c"]:  # as if it had been written then
        end = min(each.began + 3600.0, START + SECONDS)
        os.utime(each.path, (end, end))
    return site.pool


def found(directory: Path) -> list[JournalStart]:
    segments = segments_by_cluster(directory)["c"]
    return [*journal_starts(segments, find, START - 1.0, START + 1e6)]


def test_a_segment_that_goes_on_is_no_start(tmp_path: Path) -> None:
    recorded(tmp_path, 1)

    assert len(segments_by_cluster(tmp_path)["c"]) == 2
    (start,) = found(tmp_path)
    assert (start.at, start.program, start.is_start) == (START, "1", True)
    assert start.silent_seconds is None


def test_a_second_start_says_for_how_long_nothing_was_recorded(tmp_path: Path) -> None:
    recorded(tmp_path, 1)
    state = Site(seed=2).pool.state()
    writer = SegmentWriter(tmp_path, Began(state), START + SECONDS + 75.0, "2")
    writer.file.close()

    _, start = found(tmp_path)
    assert (start.program, start.is_start, start.silent_seconds) == ("2", True, 75.0)


def test_a_gap_without_a_start_is_one_too(tmp_path: Path) -> None:
    pool = recorded(tmp_path, 1)
    writer = SegmentWriter(tmp_path, Began(pool.state()), START + SECONDS + 500.0, "1")
    writer.file.close()

    _, gap = found(tmp_path)
    assert (gap.is_start, gap.silent_seconds) == (False, 500.0)


def test_a_segment_that_cannot_be_read_is_skipped(tmp_path: Path) -> None:
    recorded(tmp_path, 1)
    first, _ = segments_by_cluster(tmp_path)["c"]
    first.path.write_bytes(b"nonsense")

    assert found(tmp_path) == []


def test_the_starts_of_several_clusters_together_are_one() -> None:
    starts = [
        JournalStart(cluster=name, at=at, program="1", is_start=True, silent_seconds=None)
        for name, at in (("d", START + 1), ("c", START), ("c", START + 60))
    ]

    assert [each["clusters"] for each in starts_document(starts)] == [["c", "d"], ["c"]]
