"""The time of every check that has thresholds for it, at and next to their ends."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from ldaphealth.checks import bind, compare, connect, search, unbind, write
from ldaphealth.judging.thresholds import Range, Thresholds, at_most
from ldaphealth.ldap.names import DN, AttributeName
from ldaphealth.model import Metric
from tests.checks.seen import (
    CRITICAL,
    FINE,
    OK,
    SOFT,
    WARNING,
    Case,
    Opinion,
    judged,
    opinions,
    saw,
    view,
    wants_more,
)

HAIR = 2**-10  # seconds; such times add up without rounding


class Timed(Struct, frozen=True):
    """A check of which nothing but the time is wrong, and its default limits in seconds."""

    params: object
    facts: Mapping[str, object]
    warning: float
    critical: float


WROTE = {"canary": "ours", "dn": "cn=a,dc=x", "matched": True}
TIMED = {
    "connect": Timed(connect.Params(), {}, 1.0, 3.0),
    "bind": Timed(bind.Params(), {}, 1.0, 3.0),
    "unbind": Timed(unbind.Params(), {}, 1.0, 3.0),
    "search": Timed(search.Params(), {"entries": 1, "matching": 0}, 0.5, 2.0),
    "compare": Timed(
        compare.Params(DN("dc=x"), AttributeName("dc"), "x"), {"true": True}, 0.5, 2.0
    ),
    "write": Timed(write.Params(DN("ou=canaries,dc=x")), WROTE, 0.5, 2.0),
}
SLOW, TOO_SLOW = ("slow", WARNING, SOFT), ("slow", CRITICAL, SOFT)


def case(check: str, seconds: float, *expected: Opinion) -> Case:
    timed = TIMED[check]
    seen = view(saw(check, timed.facts, timings={"first": seconds / 2, "second": seconds / 2}))
    return Case(seen, timed.params, expected)


CASES = {
    f"{check} {name}": case(check, seconds, expected)
    for check, timed in TIMED.items()
    for name, seconds, expected in (
        ("that takes no time", 0.0, FINE),
        ("as slow as may be", timed.warning, FINE),
        ("a hair slower than may be", timed.warning + HAIR, SLOW),
        ("at the end of the warning", timed.critical, SLOW),
        ("a hair slower than the warning", timed.critical + HAIR, TOO_SLOW),
    )
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_the_time_of_all_operations_together_is_judged(case: Case) -> None:
    assert opinions(judged(case.view, case.params)) == case.expected


@pytest.mark.parametrize("check", TIMED)
def test_the_time_is_told_with_the_ranges_that_judge_it(check: str) -> None:
    timed = TIMED[check]
    seen = view(saw(check, timed.facts, timings={"one": 0.25, "two": 0.125}))
    [finding] = judged(seen, timed.params)

    ranges = (f"{timed.warning:g}", f"{timed.critical:g}")
    assert finding.metrics[-1] == Metric(f"{check}_seconds", 0.375, *ranges)
    assert finding.summary.startswith(f"{check} took 0.375 s")
    assert finding.reason == f"{check}.ok"


def test_the_sentence_names_the_limit_that_was_passed() -> None:
    params = bind.Params(at_most(1.0, 3.0))
    told = [
        judged(view(saw("bind", timings={"bind": seconds})), params)[0].summary
        for seconds in (2.0, 4.0)
    ]

    assert told == ["bind took 2.000 s, more than 1 s", "bind took 4.000 s, more than 3 s"]


@pytest.mark.parametrize("check", TIMED)
def test_a_time_never_needs_a_second_look(check: str) -> None:
    timed = TIMED[check]

    assert wants_more(view(saw(check, timed.facts, timings={"it": 99.0})), timed.params) is False


@given(
    st.dictionaries(st.text("abc", min_size=1), st.floats(0, 10), max_size=4),
    st.floats(0, 10),
    st.floats(0, 10),
)
def test_the_sum_of_the_times_decides_and_nothing_else(
    timings: dict[str, float], warning: float, critical: float
) -> None:
    params = bind.Params(Thresholds(Range(end=warning), Range(end=critical)))
    seconds = sum(timings.values())
    state = CRITICAL if seconds > critical else WARNING if seconds > warning else OK

    found = opinions(judged(view(saw("bind", timings=timings)), params))

    assert found == (("ok" if state is OK else "slow", state, SOFT),)
