"""Ratios between two reads of counters: judged, idle, not judged yet, or not readable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaphealth.checks.monitor import (
    AFTER,
    LASTING,
    OPERATIONS,
    Facts,
    Params,
    Rate,
    Ratio,
    _counter,
    _done,
    _since_restart,
)
from ldaphealth.judging.recent_observations import RecentObservations
from ldaphealth.judging.retention import MOST_MERGED, retentions
from ldaphealth.judging.thresholds import at_most
from ldaphealth.model import AnyObservation, Failure, FailureKind, Metric
from tests.checks.seen import (
    CRITICAL,
    FINE,
    OK,
    OURS,
    SOFT,
    TOLD,
    UNKNOWN,
    WARNING,
    Case,
    Opinion,
    judged,
    opinions,
    planned,
    saw,
    view,
    wants_more,
)

ONE = Params((Ratio("modify", "search", at_most(0.5, 2.0)),))
TWO = Params((*ONE.ratios, Ratio("bind", "unbind", at_most(1.0, 3.0), min_operations=1)))
COLLECTING, IDLE = ("collecting", OK, SOFT), ("idle", OK, SOFT)
NO_ACCESS = ("no_access", UNKNOWN, OURS)
HIGH, TOO_HIGH = ("ratio", WARNING, SOFT), ("ratio", CRITICAL, SOFT)
FAILED = Failure(FailureKind.TIMEOUT, "no answer within 5 s: search")

Counters = Mapping[str, int] | None  # None: the read failed


def reads(*counters: Counters) -> list[AnyObservation]:
    return [
        saw(
            "monitor",
            Facts(completed=counted or {}),
            at=float(at),
            failure=FAILED if counted is None else None,
        )
        for at, counted in enumerate(counters)
    ]


def case(*counters: Counters, expected: Opinion, params: Params = ONE) -> Case:
    return Case(view(*reads(*counters)), params, (expected,))


def counted(modify: int, search: int, **others: int) -> dict[str, int]:
    return {"modify": modify, "search": search, **others}


START = counted(1000, 5000, bind=70, unbind=60)


BUSY = Params(
    ratios=(),
    rates=(Rate("modify", at_most(10, 50)), Rate("search")),
)
CASES = {
    "rates are well": case(counted(0, 0), counted(10, 500), params=BUSY, expected=FINE),
    "a rate is too high": case(
        counted(0, 0), counted(51, 0), params=BUSY, expected=("rate", CRITICAL, SOFT)
    ),
    "nothing can be read": case({}, expected=NO_ACCESS),
    "nothing can be read any more": case(START, {}, expected=NO_ACCESS),
    "read once": case(START, expected=COLLECTING),
    "read once, after a failed read": case(None, START, expected=COLLECTING),
    "restarted: all counters begin again": case(START, counted(0, 3), expected=COLLECTING),
    "restarted: one counter is lower": case(START, counted(1000, 4999), expected=COLLECTING),
    "restarted: a counter that no ratio uses is lower": case(
        START, counted(1000, 5100, bind=69), expected=COLLECTING
    ),
    "nothing happened": case(START, START, expected=IDLE),
    "as few searches as say nothing": case(counted(0, 5000), counted(900, 5009), expected=IDLE),
    "as few searches as are judged": case(counted(0, 5000), counted(5, 5010), expected=FINE),
    "no modify at all": case(counted(7, 0), counted(7, 100), expected=FINE),
    "the highest ratio that is well": case(counted(0, 0), counted(50, 100), expected=FINE),
    "a ratio next to it": case(counted(0, 0), counted(51, 100), expected=HIGH),
    "the highest ratio that is a warning": case(counted(0, 0), counted(200, 100), expected=HIGH),
    "a ratio next to that": case(counted(0, 0), counted(201, 100), expected=TOO_HIGH),
    "totals since the start say nothing": case(
        counted(9000, 10), counted(9010, 110), expected=FINE
    ),
    "from the oldest read to the newest": case(
        counted(0, 0), counted(300, 0), counted(300, 100), expected=TOO_HIGH
    ),
    "a failed read between two": case(counted(0, 0), None, counted(300, 100), expected=TOO_HIGH),
    "an operation that slapd does not count": case({"search": 0}, {"search": 100}, expected=FINE),
    "no limit is set by default": case(
        counted(0, 0), counted(10**6, 10), expected=FINE, params=Params()
    ),
    "no ratio is wanted": Case(view(*reads(START, START)), Params(()), ()),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_counters_are_judged(case: Case) -> None:
    assert opinions(judged(case.view, case.params)) == case.expected


IN_FLIGHT = Params(ratios=(), in_flight=at_most(8, 14))
STUCK, VERY_STUCK = ("stuck", WARNING, TOLD), ("stuck", CRITICAL, TOLD)


def flying(*searches: int | None, of: str = "s0", kind: str = "search") -> list[AnyObservation]:
    """Return reads with so many requests in flight; None: the read failed."""
    return [
        saw(
            "monitor",
            Facts(completed=START, in_flight={kind: count} if count else {}),
            of=of,
            at=float(at),
            failure=FAILED if count is None else None,
        )
        for at, count in enumerate(searches)
    ]


def of_pool(*seen: list[AnyObservation], expected: tuple[Opinion, ...]) -> Case:
    return Case(view(*(each for reads in seen for each in reads)), IN_FLIGHT, expected)


IN_FLIGHT_CASES = {
    "none": of_pool(flying(0, 0, 0), expected=()),
    "as many as are well": of_pool(flying(8, 8, 8), expected=()),
    "too many, in three reads": of_pool(flying(9, 20, 9), expected=(STUCK,)),
    "many more": of_pool(flying(15, 15, 15), expected=(VERY_STUCK,)),
    "too many, in two reads so far": of_pool(flying(20, 20), expected=()),
    "too many, with fewer between": of_pool(flying(20, 8, 20), expected=()),
    "too many, and gone now": of_pool(flying(20, 20, 20, 0), expected=()),
    "too many, in three reads after few": of_pool(flying(0, 9, 9, 9), expected=(STUCK,)),
    "a read that failed is none of three": of_pool(flying(9, None, 9), expected=()),
    "no more than on the others": of_pool(
        flying(20, 20, 20), flying(14, 14, 14, of="s1"), flying(12, 12, 12, of="s2"), expected=()
    ),
    "more than on the others": of_pool(
        flying(20, 20, 20),
        flying(14, 14, 14, of="s1"),
        flying(0, 0, 0, of="s2"),
        expected=(STUCK,),
    ),
    "the others were read too seldom to compare": of_pool(
        flying(9, 9, 9), flying(9, 9, of="s1"), expected=(STUCK,)
    ),
    "of another kind on the others": of_pool(
        flying(9, 9, 9), flying(9, 9, 9, of="s1", kind="bind"), expected=(STUCK,)
    ),
}


@pytest.mark.parametrize("case", IN_FLIGHT_CASES.values(), ids=IN_FLIGHT_CASES.keys())
def test_requests_in_flight_are_compared_with_the_other_servers(case: Case) -> None:
    assert opinions(judged(case.view, case.params)) == case.expected


def test_the_sentence_has_the_kind_and_the_median() -> None:
    others = [*flying(2, 2, 2, of="s1"), *flying(3, 3, 3, of="s2")]

    [finding] = judged(view(*flying(12, 11, 13), *others), IN_FLIGHT)

    assert finding.summary == (
        "at least 11 search requests were in flight in 3 reads in a row, "
        "2.5 at the median of the other servers"
    )
    assert finding.metrics == (Metric("requests_in_flight", 11, "8", "14", "search"),)


def test_every_ratio_is_judged_by_itself() -> None:
    seen = view(*reads(START, counted(1000 + 201, 5000 + 100, bind=70, unbind=60)))
    told = [(f.code, f.summary, f.metrics) for f in judged(seen, TWO)]

    assert told == [
        (
            "ratio",
            "modify_to_search_ratio 2.01",
            (Metric("modify_to_search_ratio", 2.01, "0.5", "2"),),
        ),
        ("idle", "only 0 unbind operations: bind_to_unbind_ratio not judged", ()),
    ]


@pytest.mark.parametrize(
    ("counters", "summary"),
    [
        pytest.param([START], "no ratio yet: only one read so far", id="read once"),
        pytest.param([START, {"search": 1}], "no ratio yet: slapd was restarted", id="restarted"),
        pytest.param(
            [{}],
            "cn=Monitor cannot be read: `ldaphealth setup --part rules` prints the access rules "
            "that the account needs",
            id="no access",
        ),
    ],
)
def test_the_sentence_says_why_there_is_no_ratio(counters: list[Counters], summary: str) -> None:
    assert judged(view(*reads(*counters)), ONE)[0].summary == summary


@pytest.mark.parametrize(
    ("counters", "expected"),
    [
        pytest.param([START], True, id="read once"),
        pytest.param([START, START], False, id="read twice"),
        pytest.param([{}], False, id="nothing can be read"),
    ],
)
def test_a_second_look_is_wanted_for_the_first_difference(
    counters: list[Counters], expected: bool
) -> None:
    assert wants_more(view(*reads(*counters)), ONE) is expected


COUNTERS = st.fixed_dictionaries({name: st.integers(0, 1000) for name in sorted(OPERATIONS)})


@given(COUNTERS, COUNTERS, st.integers(0, 10**9))
def test_what_was_counted_before_the_first_read_changes_nothing(
    first: dict[str, int], more: dict[str, int], before: int
) -> None:
    last = {name: first[name] + more[name] for name in first}
    seen = view(*reads(first, last))
    later = view(
        *reads(*({name: n + before for name, n in each.items()} for each in (first, last)))
    )

    assert judged(later, TWO) == judged(seen, TWO)


@given(COUNTERS, COUNTERS)
def test_a_ratio_is_the_one_difference_by_the_other(
    first: dict[str, int], more: dict[str, int]
) -> None:
    last = {name: first[name] + more[name] for name in first}
    [finding] = judged(view(*reads(first, last)), ONE)
    of, to = more["modify"], more["search"]
    state = CRITICAL if of > 2 * to else WARNING if 2 * of > to else OK

    if to < 10:
        assert opinions([finding]) == (IDLE,)
    else:
        assert opinions([finding]) == (("ok" if state is OK else "ratio", state, SOFT),)
        assert finding.metrics[0].value == of / to


@given(COUNTERS, COUNTERS, st.sampled_from(sorted(OPERATIONS)))
def test_a_counter_that_fell_is_a_restart_whatever_the_others_did(
    first: dict[str, int], last: dict[str, int], fallen: str
) -> None:
    last = last | {fallen: first[fallen] - 1}

    assert opinions(judged(view(*reads(first, last)), ONE)) == (COLLECTING,)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param(("42",), 42, id="a number"),
        pytest.param(("42", "7"), 42, id="two numbers: the first"),
        pytest.param((), 0, id="no value"),
        pytest.param(("",), 0, id="an empty value"),
        pytest.param(("-1",), 0, id="negative"),
        pytest.param(("1.5",), 0, id="a fraction"),
        pytest.param(("0x10",), 0, id="hexadecimal"),
        pytest.param((" 1",), 0, id="a space"),
        pytest.param(("1_000",), 0, id="as in Python"),
        pytest.param(("٤٢",), 0, id="digits of another script"),
        pytest.param(("²",), 0, id="superscript"),
        pytest.param(("many",), 0, id="a word"),
    ],
)
def test_what_is_no_counter_counts_as_none(values: tuple[str, ...], expected: int) -> None:
    assert _counter(values) == expected


def test_a_counter_of_thousands_of_digits_is_no_counter() -> None:
    assert _counter(("9" * 5000,)) == 0


def test_a_counter_of_hundreds_of_digits_is_no_bug_of_ours() -> None:
    huge = _counter(("9" * 400,))

    [finding] = judged(view(*reads(counted(0, 0), counted(huge, 100))), ONE)
    assert finding.code in {"ok", "ratio"}


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(("many",), id="a word"),
        pytest.param((), id="nothing"),
        pytest.param(("1.5",), id="a fraction"),
        pytest.param(("-7",), id="less than nothing"),
    ],
)
def test_values_that_are_no_counters_count_as_none(values: tuple[str, ...]) -> None:
    seen = view(*reads(counted(0, 0), {"modify": _counter(values), "search": 100}))

    assert opinions(judged(seen, ONE)) == (FINE,)


def test_the_first_read_after_access_was_granted_is_no_difference() -> None:
    assert opinions(judged(view(*reads({}, counted(9000, 100))), ONE)) == (COLLECTING,)


def test_a_restart_is_seen_also_when_the_counters_have_overtaken_the_first_read() -> None:
    seen = view(*reads(counted(100, 100), counted(0, 0), counted(150, 2100)))
    [finding] = judged(seen, ONE)  # since the restart: 150 to 2100; first to last: 50 to 2000

    assert finding.metrics[0].value == 150 / 2100


def test_ratios_are_judged_again_once_there_are_two_reads_after_a_restart() -> None:
    seen = view(*reads(counted(10**6, 10**6), counted(0, 0), counted(300, 100)))

    assert opinions(judged(seen, ONE)) == (TOO_HIGH,)


def test_no_operations_at_all_are_idle_whatever_the_settings_say() -> None:
    params = Params((Ratio("modify", "search", min_operations=0),))

    assert opinions(judged(view(*reads(START, START)), params)) == (IDLE,)


@pytest.mark.parametrize(
    ("of", "to", "named"),
    [
        pytest.param("modify", "searches", "searches", id="the second"),
        pytest.param("write", "search", "write", id="the first"),
        pytest.param("Modify", "search", "Modify", id="in another case"),
    ],
)
def test_a_ratio_of_what_is_no_operation_is_refused(of: str, to: str, named: str) -> None:
    with pytest.raises(ValueError, match=f"'{named}' is not an operation"):
        Ratio(of, to)


# In the agent, older reads are merged


CLIENTS = st.dictionaries(st.sampled_from(["bind", "search", "modify"]), st.integers(0, 9))
STEPS = st.lists(
    st.tuples(st.sampled_from(["read", "read", "read", "restart", "failed", "hidden"]), CLIENTS),
    max_size=120,
)


def agent_reads(steps: list[tuple[str, dict[str, int]]]) -> list[AnyObservation]:
    """Return reads of counters that grow by what clients and the sessions themselves do."""
    found, counters = [], dict.fromkeys(("bind", "unbind", "search", "modify"), 0)
    for at, (step, clients) in enumerate(steps):
        if step == "restart":
            counters = dict.fromkeys(counters, 0)
        own = dict.fromkeys(OPERATIONS, 0) | {"bind": 1, "search": 2}
        for name in counters:
            counters[name] += clients.get(name, 0) + own[name]
        facts = Facts(access="none") if step == "hidden" else Facts(completed={**counters}, own=own)
        failure = FAILED if step == "failed" else None
        found.append(saw("monitor", facts, at=float(at), failure=failure))
        for name in AFTER:
            counters[name] += 1
    return found


def operations(seen: Sequence[AnyObservation]) -> tuple[int, dict[str, int]]:
    """Return of how many sessions the reads are, and what other clients did in that time."""
    known = [each.facts for each in seen if each.facts is not None and each.facts.completed]
    since = _since_restart(known) if known else []
    done = {name: _done(since, name) for name in OPERATIONS} if since else {}
    return sum(each.sessions for each in since[1:]), done


@given(STEPS)
def test_merged_reads_count_the_operations_of_the_reads_that_they_stand_for(
    steps: list[tuple[str, dict[str, int]]],
) -> None:
    recent = RecentObservations(retentions([planned("monitor")]))
    seen = agent_reads(steps)
    for each in seen:
        recent.add(each)
    kept = recent.of_check("monitor").get("c/s0", ())

    assert len(kept) <= LASTING + MOST_MERGED
    assert [*kept[-LASTING:]] == seen[-LASTING:]
    sessions, done = operations(kept)
    if sessions:
        known = [each for each in seen if each.facts is not None and each.facts.completed]
        assert done == operations(known[-sessions - 1 :])[1]


@pytest.mark.parametrize("rounds", range(490, 500))
def test_a_ratio_is_that_of_some_sixty_rounds(rounds: int) -> None:
    recent = RecentObservations(retentions([planned("monitor")]))
    for each in agent_reads([("read", {"modify": 1, "search": 2})] * rounds):
        recent.add(each)
    sessions, done = operations(recent.of_check("monitor")["c/s0"])

    assert 58 <= sessions <= 66
    assert done["modify"] == sessions
    assert done["search"] == 2 * sessions
