"""The pool of a moment in the past, from the journal: neither earlier nor later."""

from __future__ import annotations

from pathlib import Path

import pytest

from ldaphealth.agent.replay import pool_at
from ldaphealth.checks import find
from ldaphealth.store.journal_files import segments_by_cluster
from tests.agent.recorded import START, Recording, whole
from tests.agent.simulated_site import Site

SECONDS = 4500.0  # more than one segment


@pytest.fixture(scope="module")
def noted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[float, int]]:
    """Return a journal, and the verdicts of some moments of it."""
    directory, verdicts = tmp_path_factory.mktemp("journal"), dict[float, int]()
    site = Site(seed=9)
    recording = Recording(site, directory)
    while site.now < SECONDS:
        if site.random.random() < 0.02:
            site.break_one()
        site.step()
        if len(verdicts) * 500 < site.now:
            verdicts[START + site.now] = whole(site.pool)
    recording.close()
    return directory, verdicts


def test_the_pool_of_a_moment_has_its_verdicts(noted: tuple[Path, dict[float, int]]) -> None:
    directory, verdicts = noted
    assert len(verdicts) > 5
    for at, expected in verdicts.items():
        found = pool_at(segments_by_cluster(directory)["c"], find, at)
        assert found is not None
        pool, newest = found
        assert newest.at == pytest.approx(at, abs=0.2)
        assert newest.at is not None
        assert newest.at <= at
        assert whole(pool) == expected


def test_a_moment_before_or_without_a_journal_has_none(
    noted: tuple[Path, dict[float, int]],
) -> None:
    assert pool_at(segments_by_cluster(noted[0])["c"], find, START - 1.0) is None
    assert pool_at([], find, START) is None
