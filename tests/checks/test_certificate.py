"""A certificate is told in time before it ends, by the clock that the look carries."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from ldaphealth.checks.certificate import Params
from ldaphealth.judging.thresholds import Range, Thresholds
from tests.checks.seen import (
    CRITICAL,
    OK,
    SOFT,
    TOLD,
    WARNING,
    Case,
    Opinion,
    judged,
    opinions,
    saw,
    view,
)

NOW = 1_800_000_000.0
SETTINGS = Params()


def case(facts: Mapping[str, object], *expected: Opinion, params: Params = SETTINGS) -> Case:
    return Case(view(saw("certificate", facts)), params, expected)


def ends_in(days: float) -> dict[str, object]:
    return {
        "certificate": "verified",
        "names": ["ldap1.test", "127.0.0.1"],
        "expires_epoch_seconds": NOW + days * 86400,
        "observed_epoch_seconds": NOW,
    }


def with_client(days: float, facts: Mapping[str, object]) -> dict[str, object]:
    return {**facts, "client_expires_epoch_seconds": NOW + days * 86400}


NOT_APPLICABLE: Opinion = ("not_applicable", OK, SOFT)
CASES = {
    "months left": case(ends_in(90), ("ok", OK, SOFT)),
    "three weeks left": case(ends_in(21), ("ok", OK, SOFT)),
    "less than three weeks": case(ends_in(20.9), ("expires", WARNING, TOLD)),
    "less than a week": case(ends_in(6.9), ("expires", CRITICAL, TOLD)),
    "ended": case(ends_in(-1), ("expires", CRITICAL, TOLD)),
    "another threshold": case(
        ends_in(20), ("ok", OK, SOFT), params=Params(Thresholds(critical=Range(start=3)))
    ),
    "no TLS": case({"certificate": "none"}, NOT_APPLICABLE),
    "not verified": case({"certificate": "not_verified"}, NOT_APPLICABLE),
    "the client's has months left": case(with_client(90, ends_in(90)), ("ok", OK, SOFT)),
    "the client's expires soon": case(
        with_client(3, ends_in(90)), ("ok", OK, SOFT), ("client_expires", CRITICAL, TOLD)
    ),
    "both expire soon": case(
        with_client(20, ends_in(3)),
        ("expires", CRITICAL, TOLD),
        ("client_expires", WARNING, TOLD),
    ),
    "not verified, and the client's has expired": case(
        with_client(-1, {"certificate": "not_verified", "observed_epoch_seconds": NOW}),
        NOT_APPLICABLE,
        ("client_expires", CRITICAL, TOLD),
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_days_that_are_left_are_judged(case: Case) -> None:
    assert opinions(judged(case.view, case.params)) == case.expected


@pytest.mark.parametrize(
    ("days", "sentence"),
    [
        (12.0, "the certificate of ldap1.test, 127.0.0.1 expires in 12 days"),
        (-3.0, "the certificate of ldap1.test, 127.0.0.1 expired 3 days ago"),
    ],
)
def test_the_sentence_names_the_certificate(days: float, sentence: str) -> None:
    (finding,) = judged(view(saw("certificate", ends_in(days))), SETTINGS)

    assert finding.summary == sentence
    assert [(each.name, each.value) for each in finding.metrics] == [("days_left", days)]
