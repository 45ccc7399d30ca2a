"""A process is killed while it writes the journal: what is there gives the same verdicts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from ldaphealth.agent.replay import ALWAYS, Compared, Replayed, replay
from ldaphealth.checks import find
from ldaphealth.store.journal_files import segments_by_cluster

WRITER = """
import sys, time
from pathlib import Path
from ldaphealth.agent import journal
from ldaphealth.settings import JournalSettings
from tests.agent.simulated_site import Site

journal.SEGMENT_SECONDS, journal.PAUSE_SECONDS, journal.TURN_SECONDS = 600.0, 0.0, 0.001
site, begin = Site(seed=int(sys.argv[2])), 1.8e9 + 1e6 * int(sys.argv[2])
kept = journal.Journal(
    Path(sys.argv[1]), JournalSettings(), "1",
    clock=lambda: begin + site.now, running=lambda: site.now,
)
site.follow(kept.follow)
while True:
    if site.random.random() < 0.02:
        site.break_one()
    site.step()
    while kept._waiting:
        time.sleep(0.0005)
    print(site.now, flush=True)
"""
LOST_SECONDS = 60.0


def test_after_any_kill_what_was_written_gives_the_same_verdicts(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    random, decisions = Random(1), 0  # noqa: S311  not for a secret
    for number in range(request.config.getoption("--kills")):
        command = [sys.executable, "-c", WRITER, str(tmp_path), str(number)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            for _ in range(random.randint(20, 200)):
                seen = writer.stdout.readline()
            writer.kill()
        result = Replayed(cluster="c")
        for each in segments_by_cluster(tmp_path).get("c", []):
            replay(result, each, find, Compared(ALWAYS))
        assert (result.different, result.problems) == (0, {})
        assert result.decisions >= decisions
        decisions = result.decisions
        begin = 1.8e9 + 1e6 * number
        if float(seen) > 2 * LOST_SECONDS:
            assert result.last is not None
            assert result.last >= begin + float(seen) - LOST_SECONDS
    assert decisions > 100
