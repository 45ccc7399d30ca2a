"""What the compare check says of the one word that answers it."""

from __future__ import annotations

import pytest

from ldaphealth.checks.compare import Params
from ldaphealth.ldap.names import DN, AttributeName
from tests.checks.seen import (
    CRITICAL,
    EXPECTATION,
    FINE,
    SOFT,
    Case,
    Opinion,
    judged,
    opinions,
    saw,
    view,
)

PARAMS = Params(DN("cn=config,dc=x"), AttributeName("cn"), "Root")
NOT_HELD, TOO_SLOW = ("compareFalse", CRITICAL, EXPECTATION), ("slow", CRITICAL, SOFT)


def case(true: bool, *expected: Opinion, seconds: float = 0.0) -> Case:
    return Case(view(saw("compare", {"true": true}, timings={"it": seconds})), PARAMS, expected)


CASES = {
    "the entry holds the value": case(True, FINE),
    "the entry does not hold the value": case(False, NOT_HELD, FINE),
    "held, but too slow": case(True, TOO_SLOW, seconds=2.5),
    "not held, and too slow": case(False, NOT_HELD, TOO_SLOW, seconds=2.5),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_compare_is_judged(case: Case) -> None:
    assert opinions(judged(case.view, case.params)) == case.expected


def test_the_sentence_says_what_the_entry_lacks_on_one_harmless_line() -> None:
    params = Params(DN("dc=x"), AttributeName("description"), "a\nb\x1b[31m")
    told = judged(view(saw("compare", {"true": False})), params)[0].summary

    assert told == r"dc=x does not hold description: a\nb\x1b[31m"
