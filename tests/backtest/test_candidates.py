"""Candidates of a threshold, and which of them is suggested."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from ldaphealth.backtest.candidates import FACTORS, candidates, suggested
from ldaphealth.judging.thresholds import Range, Thresholds, at_most
from tests.checks.seen import cluster, planned

SETTINGS = cluster(planned("search"), planned("latency"), servers=2)
NOW = FACTORS.index(1.0)


def test_candidates_go_from_strict_to_lenient_on_all_servers() -> None:
    search = SETTINGS.checks[0]
    own = replace(search, own_params={"c/s1": replace(search.params, seconds=at_most(9.0, 9.0))})
    found = candidates(replace(SETTINGS, checks=(own,)), "search.seconds")
    ends = [each.thresholds.critical.end for each in found if each.thresholds.critical]
    assert ends == [2.0 * factor for factor in FACTORS]
    assert [each.is_now for each in found].index(True) == NOW
    for each in found:
        (check,) = each.cluster.checks
        assert {check.params.seconds, check.own_params["c/s1"].seconds} == {each.thresholds}


def test_a_range_without_an_end_remains() -> None:
    limits = Thresholds(Range(end=2.0), Range(start=1.0))
    search = replace(SETTINGS.checks[0], params=replace(SETTINGS.checks[0].params, seconds=limits))
    found = candidates(replace(SETTINGS, checks=(search,)), "search.seconds")
    assert {each.thresholds.critical for each in found} == {Range(start=1.0)}


def side(outages: int, inside: int, removed: int, critical: int) -> dict[str, Any]:
    return {
        "out_of_service": {
            "outages": outages,
            "score": {"in_incidents": inside, "found": removed},
        },
        "critical": {"score": {"found": critical}},
    }


def unmarked(*outages: int) -> list[dict[str, Any]]:
    score: dict[str, Any] = {"score": None}
    return [{"out_of_service": {"outages": each} | score, "critical": score} for each in outages]


SIDES: dict[str, tuple[list[dict[str, Any]], int, int]] = {
    "no false removal and most found": (
        [side(9, 2, 2, 2), side(2, 2, 2, 2), side(1, 1, 1, 1), side(0, 0, 0, 0)],
        2,
        1,
    ),
    "by CRITICAL where none is removed": (
        [side(0, 0, 0, 1), side(0, 0, 0, 1), side(0, 0, 0, 0)],
        2,
        1,
    ),
    "equal: as now": ([side(0, 0, 0, 0)] * 4, 2, 2),
    "equally near: the more lenient": (
        [side(0, 0, 0, 1), side(1, 0, 0, 0), side(0, 0, 0, 1)],
        1,
        2,
    ),
    "without incidents: the fewest removals": (unmarked(5, 3, 1, 1), 1, 2),
}


@pytest.mark.parametrize("name", SIDES)
def test_what_is_suggested(name: str) -> None:
    sides, now, expected = SIDES[name]
    assert suggested(sides, now) == expected
