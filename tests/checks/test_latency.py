"""What the latency check says of times over a window: slow for long, or slower than others."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ldaphealth.checks.latency import Facts, Params
from ldaphealth.model import AnyObservation
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
)

PARAMS = Params(operations=("search",))
COLLECTING, SLOW = ("collecting", OK, SOFT), ("slow", CRITICAL, SOFT)
SLOWISH, BEHIND_POOL = ("slow", WARNING, SOFT), ("slower_than_pool", WARNING, SOFT)


def times(*seconds: float, of: str = "s0", every: float = 5.0) -> list[AnyObservation]:
    return [
        saw("latency", Facts({"search": each}), of=of, at=number * every)
        for number, each in enumerate(seconds)
    ]


def case(
    mine: Sequence[float], *expected: Opinion, others: Sequence[float] = (), every: float = 5.0
) -> Case:
    seen = times(*mine, every=every)
    for number, each in enumerate(others, 1):
        seen += times(*[each] * 12, of=f"s{number}")
    return Case(view(*seen), PARAMS, expected)


CASES = {
    "quick": case([0.01] * 12, FINE),
    "too few times": case([9.0] * 9, COLLECTING),
    "one slow operation": case([0.01] * 11 + [9.0], FINE),
    "one slow operation of the fewest that are judged": case([0.01] * 9 + [9.0], FINE),
    "slow for long": case([0.01] * 4 + [2.0] * 8, SLOW),
    "slowish for long": case([0.4] * 12, SLOWISH),
    "slow, but long ago": case([9.0] * 20 + [0.01] * 13, FINE),
    "too few within the window": case([0.01] * 20, COLLECTING, every=10.0),
    "much slower than the others": case([0.2] * 12, BEHIND_POOL, others=[0.01, 0.02, 0.01]),
    "slower than one of the others": case([0.2] * 12, FINE, others=[0.1, 0.2, 0.01]),
    "slower, but quick enough": case([0.04] * 12, FINE, others=[0.001, 0.001]),
    "slow as everybody": case([2.0] * 12, SLOW, others=[2.0, 2.0]),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_times_are_judged_over_the_window(case: Case) -> None:
    assert opinions(judged(case.view, case.params)) == case.expected


def test_each_operation_is_judged_by_itself() -> None:
    seen = [saw("latency", Facts({"bind": 2.0, "search": 0.01}), at=n * 5.0) for n in range(12)]

    assert opinions(judged(view(*seen), Params())) == (SLOW, FINE)


def test_an_operation_that_the_session_did_not_do_is_not_judged() -> None:
    seen = [saw("latency", Facts({"bind": 0.01}), at=n * 5.0) for n in range(12)]

    assert opinions(judged(view(*seen), Params())) == (FINE, COLLECTING)
