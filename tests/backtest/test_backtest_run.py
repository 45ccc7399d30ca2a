"""The journal of a simulated site, judged by other settings: what is left out changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from ldaphealth.agent.journal_segment import summary_of
from ldaphealth.agent.journal_summary import SegmentSummary, settings_digest
from ldaphealth.backtest import backtest as module
from ldaphealth.backtest.backtest import Backtest
from ldaphealth.backtest.course import Course
from ldaphealth.backtest.trial import Trial
from ldaphealth.checks import find
from ldaphealth.judging.thresholds import at_most
from ldaphealth.model import CheckEffect
from ldaphealth.settings import Cluster
from ldaphealth.store.journal_files import Segment, segments_by_cluster
from tests.agent.recorded import Recording
from tests.agent.simulated_site import Fault, Site, site_cluster

SECONDS = 7200.0
SEGMENT_SECONDS = 300.0
SETTINGS = site_cluster()


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> list[Segment]:
    """Return the segments of a site with a fault now and then, and calm times."""
    return recorded(Site(seed=11), tmp_path_factory.mktemp("state"))


def recorded(site: Site, directory: Path) -> list[Segment]:
    recording = Recording(site, directory, SEGMENT_SECONDS)
    broken_at = [1000.0, 1600.0, 4000.0, 4100.0, 5500.0]
    while site.now < SECONDS:
        if broken_at and site.now > broken_at[0]:
            broken_at.pop(0)
            site.break_one()
        if 3000 < site.now < 3200:
            site.faults["c/s1"] = Fault.SLOW, site.now + 20.0
        if 6200 < site.now < 6215:
            site.faults["c/s2"] = Fault.BEHIND, 6215.0
        site.step()
    recording.close()
    return segments_by_cluster(directory)["c"]


def changed(check: str, **settings: Any) -> Cluster:
    """Return the settings of the site with others of one check."""
    checks = tuple(
        replace(each, params=replace(each.params, **settings)) if each.name == check else each
        for each in SETTINGS.checks
    )
    return replace(SETTINGS, checks=checks)


def ran(journal: list[Segment], other: Cluster) -> tuple[Backtest, Trial]:
    trial = Trial(other)
    run = Backtest([trial], find)
    run.read(journal)
    assert not run.published.problems
    return run, trial


def test_the_same_settings_decide_the_same(journal: list[Segment]) -> None:
    run, trial = ran(journal, SETTINGS)
    assert trial.course == run.published.course
    assert sum(len(each) > 1 for each in trial.course.service.values())
    assert run.published.segments == len(journal)
    assert 0 < run.published.calm < len(journal)
    assert not trial.left_out


OTHERS: dict[str, Callable[[], Cluster]] = {
    "a limit that nothing reaches": lambda: changed("search", seconds=at_most(3.0, 4.0)),
    "a limit that only the slow reach": lambda: changed("search", seconds=at_most(0.5, 1.0)),
    "a limit below the usual": lambda: changed("search", seconds=at_most(0.001, 0.002)),
    "a server may be behind for longer": lambda: changed("replication", behind=at_most(20, 120)),
    "a server may be behind for a second": lambda: changed("replication", behind=at_most(0.5, 1)),
    "fewer rounds": lambda: replace(SETTINGS, settle=replace(SETTINGS.settle, fall_soft=1)),
    "a floor": lambda: replace(SETTINGS, min_in_service=6),
    "other settings than thresholds": lambda: changed("latency", quantile=0.5),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_left_out_as_calm_changes_nothing(
    journal: list[Segment], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = OTHERS[name]()
    run, trial = ran(journal, other)
    monkeypatch.setattr(module, "summary_of", lambda _: None)
    all_read, expected = ran(journal, other)
    assert not all_read.published.calm
    assert outages(trial.course) == outages(expected.course)
    assert outages(run.published.course) == outages(all_read.published.course)
    assert (run.published.calm > 0) == (
        name not in ("a limit below the usual", "other settings than thresholds")
    )


def test_a_segment_of_another_version_that_noted_other_metrics_is_judged(
    journal: list[Segment], monkeypatch: pytest.MonkeyPatch
) -> None:
    def of_another(path: Path) -> SegmentSummary | None:
        found = summary_of(path)
        return found and replace(found, judged=found.judged ^ 1)

    monkeypatch.setattr(module, "summary_of", of_another)
    run, _ = ran(journal, SETTINGS)
    assert not run.published.calm


def outages(course: Course) -> list[tuple[str, str, float, bool]]:
    """Return the changes of both kinds, without the moment at which a server was first seen."""
    return sorted(
        (kind, server, each.at, each.in_service)
        for kind, changes in (("service", course.service), ("critical", course.critical))
        for server, of in changes.items()
        for number, each in enumerate(of)
        if number or not each.in_service
    )


def test_a_summary_knows_the_settings_and_what_was_bad(journal: list[Segment]) -> None:
    bad: set[str] = set()
    for segment in journal:
        summary = summary_of(segment.path)
        assert summary is not None
        bad |= {check for part in summary.parts for check in part.bad}
        assert summary.settings == settings_digest(SETTINGS)
        assert segment.began <= summary.since <= summary.until
    assert "latency" in bad


def test_a_damaged_segment_is_named_and_the_rest_is_read(
    tmp_path: Path, journal: list[Segment]
) -> None:
    for each in journal:
        (tmp_path / each.path.name).write_bytes(each.path.read_bytes())
    copies = segments_by_cluster(tmp_path)["c"]
    content = copies[3].path.read_bytes()
    middle = len(content) // 2
    copies[3].path.write_bytes(content[:middle] + b"\xff\xfe" + content[middle + 2 :])
    run = Backtest([Trial(changed("search", seconds=at_most(0.001, 0.002)))], find)
    run.read(copies)
    assert [*run.published.problems] == [str(copies[3].path)]
    assert run.published.segments == len(copies)


def test_a_state_that_stays_critical_and_removes_nobody_is_calm(tmp_path: Path) -> None:
    """As a certificate that has expired: for all sides it is CRITICAL all the time."""

    def watched(_: int) -> Cluster:
        limits = at_most(0.001, 0.002)  # each search is too slow
        return replace(
            changed("search", seconds=limits),
            checks=tuple(
                replace(each, effect=CheckEffect.WATCH, params=replace(each.params, seconds=limits))
                if each.name == "search"
                else each
                for each in SETTINGS.checks
            ),
        )

    site = Site(seed=3, settings=watched)
    found = recorded(site, tmp_path)
    trial = Trial(watched(0))
    backtest = Backtest([trial], find)
    backtest.read(found)
    assert backtest.published.calm
    assert trial.course == backtest.published.course
    for changes in backtest.published.course.critical.values():
        assert [each.in_service for each in changes] == [False]
