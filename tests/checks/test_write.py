"""What the write check says of the canary, and that a missing canary blames nobody."""

from __future__ import annotations

import pytest

from ldaphealth.checks.write import Params
from tests.checks.seen import (
    CRITICAL,
    FINE,
    OK,
    OURS,
    SOFT,
    UNKNOWN,
    Case,
    Opinion,
    judged,
    opinions,
    saw,
    view,
)

DN = "cn=agent c/s0,ou=canaries,dc=x"
PARAMS = Params("ou=canaries,dc=x")
LOST, TOO_SLOW = ("lost", CRITICAL, SOFT), ("slow", CRITICAL, SOFT)
NO_CANARY, FOREIGN = ("no_canary", UNKNOWN, OURS), ("foreign_entry", UNKNOWN, OURS)
CONSUMER = {"canary": "not_applicable"}
MISSING, NOT_OURS = {"canary": "missing", "dn": DN}, {"canary": "foreign", "dn": DN}
WRITTEN = {"canary": "ours", "dn": DN, "matched": True}
UNWRITTEN = {"canary": "ours", "dn": DN, "matched": False}


def case(facts: dict[str, object], *expected: Opinion, seconds: float = 0.0) -> Case:
    return Case(view(saw("write", facts, timings={"modify": seconds})), PARAMS, expected)


CASES = {
    "a consumer takes no writes": case({**CONSUMER}, ("not_applicable", OK, SOFT)),
    "no canary": case({**MISSING}, NO_CANARY),
    "an entry that is not ours": case({**NOT_OURS}, FOREIGN),
    "written and read back": case({**WRITTEN}, FINE),
    "written and not there": case({**UNWRITTEN}, LOST, FINE),
    "written, but too slow": case({**WRITTEN}, TOO_SLOW, seconds=2.5),
    "written, not there, and too slow": case({**UNWRITTEN}, LOST, TOO_SLOW, seconds=2.5),
    "where nothing was written no time is judged": case({**MISSING}, NO_CANARY, seconds=2.5),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_round_trip_is_judged(case: Case) -> None:
    assert opinions(judged(case.view, case.params)) == case.expected


@pytest.mark.parametrize(
    ("facts", "summary"),
    [
        pytest.param(
            MISSING, f"no canary {DN}, or no right to read it; nothing was written", id="no canary"
        ),
        pytest.param(NOT_OURS, f"{DN} lacks our mark in ou; nothing was written", id="not ours"),
        pytest.param(
            UNWRITTEN, f"what was written to {DN} a moment ago is not there", id="not there"
        ),
    ],
)
def test_the_sentence_names_the_entry(facts: dict[str, object], summary: str) -> None:
    assert judged(view(saw("write", facts)), PARAMS)[0].summary == summary


@pytest.mark.parametrize("agent", ["", "lb1", "lb-1.example_x", "a" * 64])
def test_an_agent_with_a_plain_name_is_taken(agent: str) -> None:
    assert Params("dc=x", agent).agent == agent


@pytest.mark.parametrize("agent", ["lb 1", "lb,1", "lb1\n", "ä", "a" * 65, "+"])
def test_an_agent_whose_name_would_need_escaping_is_refused(agent: str) -> None:
    with pytest.raises(ValueError, match="agent is a name of letters"):
        Params("dc=x", agent)
