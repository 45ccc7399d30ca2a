"""The journal follows an agent: what a broken disk loses is counted, and no round waits for it."""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from demo import wait
from ldaphealth.agent import journal as module
from ldaphealth.agent.journal import Journal
from ldaphealth.agent.pool_events import Began, Decided
from ldaphealth.agent.replay import ALWAYS, Compared, Replayed, replay
from ldaphealth.checks import find
from ldaphealth.settings import JournalSettings
from ldaphealth.store.journal_files import Segment, segments_by_cluster
from tests.agent.recorded import START
from tests.agent.simulated_site import Site

PATIENCE_SECONDS = 20.0
USUAL = JournalSettings()


class Beside:
    """A site and its journal, with clocks that go as the site does."""

    def __init__(self, directory: Path, settings: JournalSettings = USUAL) -> None:
        self.directory, self.site = directory, Site(seed=7)
        self.journal = Journal(
            directory,
            settings,
            "1",
            clock=lambda: START + self.site.now,
            running=lambda: self.site.now,
        )
        self.site.follow(self.journal.follow)

    def run(self, seconds: float) -> None:
        """Let the site run, and the journal keep up with it."""
        until = self.site.now + seconds
        while self.site.now < until:
            if self.site.random.random() < 0.02:
                self.site.break_one()
            self.site.step()

    def run_until(self, holds: Callable[[], object]) -> None:
        """Let the site run on until it holds: what is written is written by its time."""

        def after_a_second() -> object:
            self.run(1.0)
            return holds()

        wait_until(after_a_second)

    def replayed(self) -> Replayed:
        """Return the comparison of all that is on disk."""
        result = Replayed(cluster="c")
        for each in self.segments():
            replay(result, each, find, Compared(ALWAYS))
        return result

    def segments(self) -> list[Segment]:
        """Return the segments on disk."""
        return segments_by_cluster(self.directory).get("c", [])


def wait_until(holds: Callable[[], object]) -> None:
    wait.until(holds, PATIENCE_SECONDS, "nothing came of it")


@pytest.fixture
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Beside]:
    monkeypatch.setattr(module, "TURN_SECONDS", 0.01)  # the site is faster than time
    running = Beside(tmp_path / "journal")
    yield running
    running.journal.close()


def test_what_is_written_gives_the_same_verdicts(beside: Beside) -> None:
    beside.run(600.0)
    beside.journal.close()
    result = beside.replayed()
    assert result.decisions > 300
    assert (result.different, result.problems) == (0, {})
    assert result.programs == {"1"}
    assert (beside.journal.errors, beside.journal.lost) == (0, 0)


def test_a_segment_is_an_hour_and_the_next_one_can_be_read_alone(beside: Beside) -> None:
    for _ in range(40):
        beside.run(100.0)
        wait_until(lambda: not beside.journal._waiting)
    beside.journal.close()
    first, second = beside.segments()
    assert second.began - first.began == pytest.approx(3600.0, abs=300.0)
    first.path.unlink()
    assert beside.replayed().decisions > 100
    assert not beside.replayed().different


def test_a_directory_that_is_removed_is_made_again(
    beside: Beside, caplog: pytest.LogCaptureFixture
) -> None:
    beside.run(120.0)
    beside.run_until(beside.segments)
    shutil.rmtree(beside.directory)
    with caplog.at_level(logging.ERROR):
        beside.run_until(lambda: beside.journal.errors)
    beside.run(120.0)
    beside.run_until(beside.segments)
    beside.journal.close()
    assert beside.journal.lost
    assert "cannot write the journal" in caplog.text
    assert beside.replayed().decisions
    assert not beside.replayed().different


def test_a_directory_that_cannot_be_made_disturbs_no_round(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "journal").write_text("a file is in the place of the directory")
    running = Beside(tmp_path / "journal")
    with caplog.at_level(logging.ERROR):
        running.run_until(lambda: running.journal.errors)
    assert running.site.pool.verdicts
    running.journal.close()
    assert running.journal.lost


FULL = """
import resource, sys, time
from pathlib import Path
from ldaphealth.agent import journal as module
from tests.agent.test_journal import Beside

module.TURN_SECONDS = 0.01
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))  # as a full disk: a part is written
running = Beside(Path(sys.argv[1]))
for _ in range(20):
    running.run(120.0)
    while running.journal._waiting:
        time.sleep(0.001)
running.journal.close()
result = running.replayed()
print(running.journal.errors, running.journal.lost, result.decisions, result.different)
"""


def test_a_full_disk_is_counted_and_what_is_there_can_be_replayed(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=True
    )
    errors, lost, decisions, different = map(int, done.stdout.split())
    assert errors
    assert lost
    assert decisions > 20
    assert not different
    assert "cannot write the journal" in done.stderr


def test_a_full_queue_loses_events_and_the_next_segment_is_whole(
    beside: Beside, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside.run(60.0)
    monkeypatch.setattr(module, "MOST_WAITING", 0)
    beside.run(60.0)
    assert beside.journal.lost
    monkeypatch.undo()
    beside.run(60.0)
    beside.journal.close()
    assert len(beside.segments()) == 2
    assert beside.replayed().decisions
    assert not beside.replayed().different


def test_the_bound_is_kept_and_what_it_deletes_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory = tmp_path / "journal"
    directory.mkdir()
    old = directory / "c.20250101T000000Z.journal"
    old.write_bytes(bytes(2 << 20))
    with caplog.at_level(logging.WARNING):
        running = Beside(directory, JournalSettings(megabytes=1))
        running.run(120.0)
        wait_until(lambda: not old.exists())
    running.journal.close()
    assert "the journal is as large as it may be" in caplog.text
    assert running.journal.oldest_epoch_seconds in (0.0, START)


def test_no_event_is_kept_before_a_state(beside: Beside) -> None:
    beside.journal.follow(beside.site.pool, Decided(1.0))
    beside.journal.follow(beside.site.pool, Began(beside.site.pool.state()))
    beside.run(30.0)
    beside.journal.close()
    assert not beside.replayed().problems
