"""What the search check says of the number of entries and of the value."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ldaphealth.checks.search import Params
from ldaphealth.judging.thresholds import Range, Thresholds
from ldaphealth.ldap.names import AttributeName
from ldaphealth.model import Metric
from tests.checks.seen import (
    CRITICAL,
    EXPECTATION,
    FINE,
    OK,
    OURS,
    SOFT,
    UNKNOWN,
    WARNING,
    Case,
    Opinion,
    judged,
    opinions,
    saw,
    view,
)

ENTRIES = Thresholds(warning=Range(5, 10), critical=Range(2, 20))
COUNTED = Params(entries=ENTRIES)
HELD = Params(attribute=AttributeName("cn"), value="Root")
FEW, TOO_FEW = ("entries", WARNING, EXPECTATION), ("entries", CRITICAL, EXPECTATION)
AT_LEAST_TEN, ANY = Params(entries=Thresholds(critical=Range(10))), Params(entries=Thresholds())
HIDDEN, REFUSED = ("limited", UNKNOWN, OURS), ("limited", CRITICAL, EXPECTATION)
NO_VALUE, TOO_SLOW = ("value", CRITICAL, EXPECTATION), ("slow", CRITICAL, SOFT)


def case(
    entries: int,
    *expected: Opinion,
    params: Params = COUNTED,
    matching: int = 0,
    seconds: float = 0.0,
    limit: str = "",
) -> Case:
    facts = {
        "entries": entries,
        "matching": matching,
        "limited": bool(limit),
        "limited_by_server": limit == "server",
    }
    return Case(view(saw("search", facts, timings={"search": seconds})), params, expected)


CASES = {
    "no entry by default": case(0, TOO_FEW, FINE, params=Params()),
    "one entry by default": case(1, FINE, params=Params()),
    "any number by default": case(10**6, FINE, params=Params()),
    "too few": case(1, TOO_FEW, FINE),
    "the fewest that are a warning": case(2, FEW, FINE),
    "the most of too few that are a warning": case(4, FEW, FINE),
    "the fewest that are well": case(5, FINE),
    "the most that are well": case(10, FINE),
    "the fewest of too many that are a warning": case(11, FEW, FINE),
    "the most that are a warning": case(20, FEW, FINE),
    "too many": case(21, TOO_FEW, FINE),
    "too few and too slow": case(0, TOO_FEW, TOO_SLOW, seconds=2.5),
    "an entry with the value": case(3, FINE, params=HELD, matching=1),
    "no entry with the value": case(3, NO_VALUE, FINE, params=HELD),
    "no entry with the attribute": case(
        1, NO_VALUE, FINE, params=Params(attribute=AttributeName("cn"))
    ),
    "an entry with the attribute": case(
        1, FINE, params=Params(attribute=AttributeName("cn")), matching=1
    ),
    "no entry at all says nothing of the value": case(0, TOO_FEW, FINE, params=HELD),
    "enough up to a limit": case(10, FINE, params=AT_LEAST_TEN, limit="session"),
    "too few up to a limit": case(9, HIDDEN, FINE, params=AT_LEAST_TEN, limit="session"),
    "too few up to a limit of the server": case(
        9, REFUSED, FINE, params=AT_LEAST_TEN, limit="server"
    ),
    "enough up to a limit of the server": case(10, FINE, params=AT_LEAST_TEN, limit="server"),
    "too many up to a limit": case(21, TOO_FEW, FINE, limit="session"),
    "perhaps too many beyond a limit": case(7, HIDDEN, FINE, limit="session"),
    "a warning or worse beyond a limit": case(15, HIDDEN, FINE, limit="session"),
    "a limit where no number is expected": case(3, FINE, params=ANY, limit="session"),
    "no value and a limit": case(
        5, HIDDEN, NO_VALUE, FINE, params=replace(HELD, entries=ENTRIES), limit="session"
    ),
    "no value and too slow": case(1, NO_VALUE, TOO_SLOW, params=HELD, seconds=2.5),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_search_is_judged(case: Case) -> None:
    assert opinions(judged(case.view, case.params)) == case.expected


def test_a_warning_of_the_number_does_not_hide_that_the_value_is_missing() -> None:
    params = Params(attribute=AttributeName("cn"), value="Root", entries=ENTRIES)
    seen = view(saw("search", {"entries": 3, "matching": 0}))

    assert opinions(judged(seen, params)) == (FEW, NO_VALUE, FINE)


@pytest.mark.parametrize(
    ("params", "entries", "summary"),
    [
        pytest.param(COUNTED, 1, "the search found 1 entry, expected 2:20", id="critical"),
        pytest.param(COUNTED, 3, "the search found 3 entries, expected 5:10", id="warning"),
        pytest.param(
            HELD, 1, "no entry has cn: Root, or there is no right to search for it", id="value"
        ),
        pytest.param(
            Params(attribute=AttributeName("cn")),
            1,
            "no entry has cn, or there is no right to search for it",
            id="attribute",
        ),
    ],
)
def test_the_sentence_says_what_is_wanted(params: Params, entries: int, summary: str) -> None:
    found = judged(view(saw("search", {"entries": entries, "matching": 0})), params)

    assert found[0].summary == summary
    assert found[0].metrics[0].name == "search_entries"
    assert found[0].metrics[0].value == entries


def test_of_a_limited_search_the_least_number_is_told() -> None:
    facts = {"entries": 200, "matching": 0, "limited": True}

    [well] = judged(view(saw("search", facts)), AT_LEAST_TEN)
    hidden, _ = judged(view(saw("search", facts)), Params(entries=Thresholds(Range(end=300))))

    assert well.summary == "search took 0.000 s, 200 entries or more"
    assert hidden.summary.startswith("the search found 200 entries or more: a size limit hides")


def test_the_number_is_told_with_the_time_when_all_is_well() -> None:
    seen = view(saw("search", {"entries": 7, "matching": 0}, timings={"search": 0.25}))
    [finding] = judged(seen, COUNTED)

    assert finding.summary == "search took 0.250 s, 7 entries"
    assert finding.metrics == (
        Metric("search_entries", 7, "5:10", "2:20"),
        Metric("search_seconds", 0.25, "0.5", "2"),
    )


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 40))
def test_entries_are_worse_the_farther_they_are_from_what_is_wanted(
    entries: int, start: int, critical_start: int
) -> None:
    params = Params(entries=Thresholds(Range(start=start), Range(start=critical_start)))
    state = CRITICAL if entries < critical_start else WARNING if entries < start else OK

    found = opinions(judged(view(saw("search", {"entries": entries, "matching": 0})), params))

    assert found == ((FINE,) if state is OK else (("entries", state, EXPECTATION), FINE))


@pytest.mark.parametrize("size_limit", [1, 200, 1000])
def test_a_size_limit_from_1_to_1000_is_taken(size_limit: int) -> None:
    assert Params(size_limit=size_limit).size_limit == size_limit


@pytest.mark.parametrize("size_limit", [-1, 0, 1001])
def test_another_size_limit_is_refused(size_limit: int) -> None:
    with pytest.raises(ValueError, match="from 1 to 1000"):
        Params(size_limit=size_limit)


def test_a_value_without_its_attribute_is_refused() -> None:
    with pytest.raises(ValueError, match="value needs attribute"):
        Params(value="Root")
