"""What the judge says of differences that a survey found: who is odd, and who only takes part."""

from __future__ import annotations

from typing import Any

import pytest

from ldaphealth.checks.content import Params, survey
from ldaphealth.content.continuous import ContinuousComparison
from ldaphealth.ldap.deadline import Deadline, SessionError
from ldaphealth.ldap.session import Session
from ldaphealth.model import Failure, FailureKind
from ldaphealth.survey import SurveyContext
from tests.checks.seen import (
    CRITICAL,
    FINE,
    OURS,
    SOFT,
    TOLD,
    UNKNOWN,
    Case,
    Opinion,
    cluster,
    judged,
    opinions,
    saw,
    view,
)

PARAMS = Params(cover_hours=24)
WELL: dict[str, Any] = {
    "passes": 0,
    "part": 0.25,
    "entries": 100,
    "odd": 0,
    "odd_dns": [],
    "undecided": 0,
    "undecided_dns": [],
    "not_compared": "",
}
ODD: Opinion = ("diverged", CRITICAL, SOFT)
UNDECIDED: Opinion = ("diverged", CRITICAL, TOLD)
LEFT_OUT: Opinion = ("not_compared", UNKNOWN, OURS)


def case(*expected: Opinion, **facts: object) -> Case:
    return Case(view(saw("content", WELL | facts)), PARAMS, expected)


CASES = {
    "no difference": case(FINE),
    "it is odd": case(ODD, odd=2, odd_dns=["cn=a", "cn=b"]),
    "no majority": case(UNDECIDED, undecided=1, undecided_dns=["cn=a"]),
    "both": case(ODD, UNDECIDED, odd=1, odd_dns=["cn=a"], undecided=1, undecided_dns=["cn=b"]),
    "not compared": case(LEFT_OUT, not_compared="connection refused"),
    "not compared, but known to be odd": case(
        ODD, LEFT_OUT, odd=1, odd_dns=["cn=a"], not_compared="connection refused"
    ),
    "an attribute that cannot be read": case(
        LEFT_OUT, excluded=["userpassword"], unreadable=["userpassword"]
    ),
    "an attribute that cannot be read elsewhere": case(FINE, excluded=["userpassword"]),
}


@pytest.mark.parametrize("name", CASES)
def test_the_opinion(name: str) -> None:
    case = CASES[name]

    assert opinions(judged(case.view, case.params)) == case.expected


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({"odd": 1, "odd_dns": ["cn=a"]}, "the entry cn=a differs from most servers"),
        (
            {"odd": 12, "odd_dns": ["cn=a"]},
            "12 entries, the first cn=a, differ from most servers",
        ),
        ({"passes": 2}, "no difference; pass 3 has compared 25% of the tree"),
        ({"not_compared": "refused"}, "not compared in this run: refused"),
    ],
)
def test_the_sentence_says_how_many_and_names_the_first(
    facts: dict[str, object], sentence: str
) -> None:
    (finding,) = judged(view(saw("content", WELL | facts)), PARAMS)

    assert finding.summary == sentence


def test_the_sentence_says_which_values_differ_and_which_were_compared() -> None:
    params = Params(cover_hours=24, values=True, values_except=("jpegPhoto",))

    def summary(**facts: object) -> str:
        (finding,) = judged(view(saw("content", WELL | facts)), params)
        return finding.summary

    assert summary(odd=1, odd_dns=["cn=a"], differing_attributes=["sn", "title"]) == (
        "the entry cn=a differs from most servers, in the values of sn, title under one entryCSN"
    )
    assert summary(excluded=["userpassword"]) == (
        "no difference; pass 1 has compared 25% of the tree with its values, except jpegphoto, "
        "userpassword"
    )
    assert summary(excluded=["userpassword"], unreadable=["userpassword"]) == (
        "the values of userpassword are not compared: this server does not let the account read "
        "them, and others do"
    )


@pytest.mark.parametrize(
    "settings", [{"values": True, "values_except": ("(x=*)",)}, {"values_except": ("title",)}]
)
def test_settings_that_compare_nothing_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="values_except"):
        Params(cover_hours=24, **settings)


def test_the_pace_follows_from_the_time_of_a_pass() -> None:
    assert Params(cover_hours=24).interval_seconds == pytest.approx(337.5)
    assert Params(cover_hours=0.01).interval_seconds == 1.0
    assert Params(cover_hours=8760).interval_seconds == 600.0


@pytest.mark.parametrize(("servers", "wanted"), [(2, 5000), (8, 5000), (100, 400)])
def test_all_servers_together_need_no_more_memory_than_a_few(servers: int, wanted: int) -> None:
    def refused(*_: object) -> Session:
        raise SessionError(Failure(FailureKind.RESULT, "refused"))

    many = cluster(servers=servers).servers
    site: SurveyContext[Params, ContinuousComparison] = SurveyContext(
        servers=many,
        params=PARAMS,
        deadline=Deadline.after(60.0),
        kept=None,
        open_session=refused,
        wait=lambda _: False,
    )
    surveyed = survey(site)

    assert surveyed.kept is not None
    assert surveyed.kept.cursor.wanted == wanted
    assert {each.facts.not_compared for each in surveyed.found.values()} == {"refused"}
