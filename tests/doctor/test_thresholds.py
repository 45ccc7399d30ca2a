"""A threshold is too low if half of the rounds exceed it; one slow round shows nothing."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from ldaphealth.doctor.examinations import examine, problems_in_order
from ldaphealth.doctor.facts import ClusterFacts, Round
from ldaphealth.doctor.problem import Importance, Problem
from ldaphealth.model import Metric, Observation, State
from tests.doctor.facts_of import cluster_of, facts_of, finding

LIMITS = {State.OK: 0.1, State.WARNING: 0.7, State.CRITICAL: 2.5}


def problems(
    states: Sequence[State], deadline_seconds: float = 60.0, unbind_seconds: float = 0.0
) -> list[Problem]:
    """Return what is wrong with one server whose searches took as long as these states say."""
    cluster = replace(
        cluster_of(1, ("connect", "bind", "search", "unbind")), deadline_seconds=deadline_seconds
    )
    rounds = tuple(_round(state, unbind_seconds) for state in states)
    return problems_in_order(examine(facts_of(ClusterFacts(cluster=cluster, rounds=rounds))))


def _round(state: State, unbind_seconds: float) -> Round:
    seconds = LIMITS[state]
    code = "search.ok" if state is State.OK else "search.slow"
    found = replace(
        finding(code, state=state), metrics=(Metric("search_seconds", seconds, "0.5", "2"),)
    )
    searched, ended = (
        Observation[Metric](
            server="c/ldap1",
            check=check,
            started_at=0.0,
            duration_seconds=took,
            facts=Metric("x", 0),
            timings={check: took},
        )
        for check, took in (("search", seconds), ("unbind", unbind_seconds))
    )
    return Round("c/ldap1", (searched, ended), (found,))


OK, SLOW, DEAD = State.OK, State.WARNING, State.CRITICAL


@pytest.mark.parametrize(
    ("states", "importance"),
    [
        ([], None),
        ([OK] * 5, None),
        ([OK, OK, OK, SLOW, SLOW], None),
        ([OK, OK, SLOW, SLOW, SLOW], Importance.MEND),
        ([SLOW], Importance.MEND),
        ([OK, OK, SLOW, SLOW, DEAD], Importance.BREAKS),
        ([DEAD] * 5, Importance.BREAKS),
    ],
)
def test_most_rounds_must_be_slow(states: list[State], importance: Importance | None) -> None:
    found = problems(states)

    assert [each.importance for each in found] == ([importance] if importance else [])
    assert {each.code for each in found} <= {"search.slow"}


def test_thresholds_are_suggested_for_the_longest_time() -> None:
    (found,) = problems([OK, SLOW, SLOW])

    assert found.what == (
        "search took 100 ms to 700 ms; 2 of 3 rounds exceed its thresholds "
        "(warning 0.5 s, critical 2 s)"
    )
    assert [each.text for each in found.steps] == [
        'checks: {search: {seconds: {warning: "3.5", critical: "14"}}}'
    ]


def test_a_longer_deadline_is_suggested_where_the_thresholds_need_it() -> None:
    found = next(each for each in problems([SLOW], deadline_seconds=5) if each.code[-4:] == "slow")

    assert [each.text for each in found.steps][1:] == ["deadline_seconds: 28"]


@pytest.mark.parametrize(("seconds", "codes"), [(2.3, []), (2.5, ["thresholds.deadline"])])
def test_rounds_that_take_half_of_the_deadline(seconds: float, codes: list[str]) -> None:
    found = problems([OK], deadline_seconds=5, unbind_seconds=seconds)

    assert [each.code for each in found] == codes
    assert [step.text for each in found for step in each.steps] == ["deadline_seconds: 11"] * len(
        codes
    )
