"""What a server says of the account becomes a finding that names it, and removes no server."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from ldaphealth.checks.bind import Params
from ldaphealth.clocks import DAY_SECONDS
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
IN_TIME: Opinion = ("ok", OK, SOFT)


def case(facts: Mapping[str, object], *expected: Opinion, params: Params = SETTINGS) -> Case:
    return Case(view(saw("bind", facts)), params, (IN_TIME, *expected))


def expires(days: float) -> dict[str, object]:
    return {
        "expires_epoch_seconds": NOW + days * DAY_SECONDS,
        "observed_epoch_seconds": NOW,
    }


CASES = {
    "the server says nothing": case({}),
    "months left": case(expires(90), ("ok", OK, SOFT)),
    "two weeks left": case(expires(14), ("ok", OK, SOFT)),
    "less than two weeks": case(expires(13.9), ("password_expires", WARNING, TOLD)),
    "another threshold": case(
        expires(1),
        ("password_expires", CRITICAL, TOLD),
        params=Params(password_days_left=Thresholds(critical=Range(start=2))),
    ),
    "grace logins left": case({"grace_logins": 2}, ("grace_logins", WARNING, TOLD)),
    "expired and still accepted": case({"has_expired": True}, ("grace_logins", WARNING, TOLD)),
    "must change": case({"must_change": True}, ("must_change", CRITICAL, TOLD)),
}


@pytest.mark.parametrize("name", CASES)
def test_the_account_is_judged_beside_the_time(name: str) -> None:
    row = CASES[name]

    assert opinions(judged(row.view, row.params)) == row.expected


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (expires(9.5), "expires in 9 d 12 h"),
        ({"grace_logins": 2}, "2 grace logins left"),
        ({"grace_logins": 1}, "1 grace login left"),
        ({"grace_logins": 0}, "no grace logins left"),
        ({"has_expired": True}, "still accepts it"),
        ({"must_change": True}, "must be changed"),
    ],
)
def test_the_sentence_has_what_the_server_said_and_the_next_step(
    facts: Mapping[str, object], words: str
) -> None:
    row = case(facts)
    summary = judged(row.view, row.params)[-1].summary

    assert words in summary
    assert "ldappasswd" in summary
