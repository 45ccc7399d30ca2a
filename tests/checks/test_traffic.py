"""What clients got, compared with the other servers and with before; what an entry counts for."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaphealth.checks.traffic import Counted, Facts, Params, Traffic, sum_of_traffic
from ldaphealth.checks.traffic_survey import Window, _counted
from ldaphealth.judging.thresholds import at_most
from ldaphealth.ldap.names import DN
from ldaphealth.ldap.search_filter import parse_filter
from ldaphealth.model import AnyObservation, Metric
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
    saw,
    view,
)

PARAMS = Params(base=DN("cn=accesslog"), min_operations=50, failed_ratio=at_most(0.05, 0.25))
NOW, LONG_AGO = 1000.0, 500.0
FAILING, FAILING_MUCH = ("failing", WARNING, SOFT), ("failing", CRITICAL, SOFT)
SLOWER = ("slower", WARNING, SOFT)
FAILING_MORE, SLOWER_THAN_BEFORE = ("failing", WARNING, TOLD), ("slower", WARNING, TOLD)
IDLE, NO_LOG = ("idle", OK, SOFT), ("no_log", UNKNOWN, OURS)


def got(
    searches: int, mean: float = 0.001, of: str = "s0", at: float = NOW, **failed: int
) -> AnyObservation:
    """Return one read of so many searches, of which some failed."""
    counted = {"search": Counted(searches, searches * mean, failed)}
    return saw("traffic", Facts(traffic=counted), of=of, at=at)


def case(*seen: AnyObservation, expected: tuple[Opinion, ...]) -> Case:
    return Case(view(*seen), PARAMS, expected)


def others(mean: float = 0.001, **failed: int) -> tuple[AnyObservation, ...]:
    return tuple(got(100, mean, of=name, **failed) for name in ("s1", "s2", "s3"))


CASES = {
    "all is well": case(got(100), *others(), expected=(FINE,)),
    "too few to judge": case(got(49, busy=49), *others(), expected=(IDLE,)),
    "nothing at all": case(saw("traffic", Facts()), *others(), expected=(IDLE,)),
    "a few failures": case(got(100, busy=5), *others(), expected=(FINE,)),
    "more than on the others": case(got(100, busy=6), *others(), expected=(FAILING,)),
    "many more": case(got(100, busy=26), *others(), expected=(FAILING_MUCH,)),
    "as many as on the others": case(
        got(100, noSuchObject=30), *others(noSuchObject=28), expected=(FINE,)
    ),
    "another code than on the others": case(
        got(100, noSuchObject=30), *others(invalidCredentials=30), expected=(FAILING_MUCH,)
    ),
    "two codes": case(got(100, busy=10, other=10), *others(), expected=(FAILING, FAILING)),
    "clients give up": case(got(100, abandoned=10), *others(), expected=(FAILING,)),
    "one other that fails as well is no median": case(
        got(100, busy=10),
        got(100, of="s1", busy=10),
        got(100, of="s2"),
        got(100, of="s3"),
        expected=(FAILING,),
    ),
    "the others have too few": case(got(100, busy=10), got(10, of="s1"), expected=(FINE,)),
    "alone, and never seen before": case(got(100, busy=30), expected=(FINE,)),
    "alone, and better before": case(
        got(100, at=LONG_AGO), got(100, busy=10), expected=(FAILING_MORE,)
    ),
    "alone, and as bad before": case(
        got(100, busy=9, at=LONG_AGO), got(100, busy=10), expected=(FINE,)
    ),
    "all are worse than before": case(
        got(100, at=LONG_AGO), got(100, busy=10), *others(busy=10), expected=(FAILING_MORE,)
    ),
    "worse than before and than the others": case(
        got(100, at=LONG_AGO), got(100, busy=10), *others(), expected=(FAILING,)
    ),
    "slower, but quick": case(got(100, 0.1), *others(), expected=(FINE,)),
    "slower than the others": case(got(100, 0.11), *others(), expected=(SLOWER,)),
    "slow as the others": case(got(100, 2.0), *others(1.0), expected=(FINE,)),
    "slower than before": case(
        got(100, 0.001, at=LONG_AGO), got(100, 0.2), expected=(SLOWER_THAN_BEFORE,)
    ),
    "reads of one window count together": case(
        got(30, busy=3, at=NOW - 60), got(30, busy=3), *others(), expected=(FAILING,)
    ),
    "the log cannot be read": case(
        got(100, busy=50, at=NOW - 60),
        saw("traffic", Facts(unread="no right"), at=NOW),
        *others(),
        expected=(NO_LOG,),
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_what_clients_got_is_compared(case: Case) -> None:
    assert opinions(judged(case.view, case.params)) == case.expected


@pytest.mark.parametrize(
    ("seen", "summary"),
    [
        pytest.param(
            (got(100, busy=12), *others()),
            "12.0% of 100 operations of clients got busy, 0.0% at the median of the other servers",
            id="a code",
        ),
        pytest.param(
            (got(100, abandoned=12, at=NOW), got(100, of="s1")),
            "12.0% of 100 operations of clients were abandoned, "
            "0.0% at the median of the other servers",
            id="abandoned",
        ),
        pytest.param(
            (got(100, 0.01, at=LONG_AGO), got(100, 0.4)),
            "100 search operations of clients took 0.400 s on average, "
            "0.010 s on this server before",
            id="slower",
        ),
        pytest.param(
            (got(80, busy=2), *others()),
            "80 operations of clients, 2.5% of them failed",
            id="well",
        ),
    ],
)
def test_the_sentence_has_both_numbers(seen: tuple[AnyObservation, ...], summary: str) -> None:
    assert judged(view(*seen), PARAMS)[0].summary == summary


def test_the_numbers_are_metrics() -> None:
    [finding] = judged(view(got(100, 0.5, busy=2)), PARAMS)

    assert finding.metrics == (
        Metric("traffic_operations", 100, label="search"),
        Metric("traffic_mean_seconds", 0.5, label="search"),
        Metric("traffic_failed_ratio", 0.02, label="busy"),
    )


def entry(**attributes: str) -> tuple[str, Mapping[str, tuple[bytes, ...]]]:
    """Return an entry of the log."""
    return "reqStart=x,cn=accesslog", {k: (v.encode(),) for k, v in attributes.items()}


BEGAN, ENDED = "20261126203211.557159Z", "20261126203213.557160Z"


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"reqtype": "search", "reqresult": "0"}, {"search": Counted(1)}),
        ({"reqtype": "search", "reqresult": "51"}, {"search": Counted(1, 0.0, {"busy": 1})}),
        ({"reqtype": "compare", "reqresult": "6"}, {"compare": Counted(1)}),
        ({"reqtype": "bind", "reqresult": "14"}, {"bind": Counted(1)}),
        ({"reqtype": "add", "reqresult": "10"}, {"add": Counted(1)}),
        ({"reqtype": "search", "reqresult": "-1024"}, {"search": Counted(1)}),
        ({"reqtype": "search", "reqresult": "9" * 400}, {"search": Counted(1)}),
        (
            {"reqtype": "search", "reqresult": "9999"},
            {"search": Counted(1, 0.0, {"resultCode9999": 1})},
        ),
        ({"reqtype": "extended(1.3.6.1.4.1.4203.1.11.3)"}, {"extended": Counted(1)}),
        ({"reqtype": "abandon"}, {"abandon": Counted(0, 0.0, {"abandoned": 1})}),
        ({"reqtype": "unbind"}, {}),
        ({"reqtype": "<script>"}, {}),
        ({}, {}),
        ({"reqtype": "search", "reqstart": ENDED, "reqend": BEGAN}, {"search": Counted(1)}),
        ({"reqtype": "search", "reqstart": "now", "reqend": ENDED}, {"search": Counted(1)}),
    ],
)
def test_an_entry_of_the_log_counts_once(attributes: dict[str, str], expected: Traffic) -> None:
    assert _counted(entry(**attributes)) == expected


def test_the_time_of_an_operation_is_between_its_two_times() -> None:
    counted = _counted(entry(reqtype="search", reqstart=BEGAN, reqend=ENDED))["search"]

    assert counted.seconds == pytest.approx(2.000001, abs=1e-5)


def test_the_window_leaves_out_accounts_that_are_no_clients() -> None:
    found = Window(0.0, 1.5).filter(["cn=a(b)*,dc=x"])

    assert found == (
        "(&(reqStart>=19700101000000.000000Z)(!(reqStart>=19700101000001.500000Z))"
        r"(!(reqAuthzID=cn=a\28b\29\2a,dc=x))(!(reqDN=cn=a\28b\29\2a,dc=x)))"
    )
    assert parse_filter(found)
    assert parse_filter(Window(0.0, 1.0).filter([]))


TRAFFIC = st.dictionaries(
    st.sampled_from(["search", "bind"]),
    st.builds(
        Counted,
        st.integers(0, 1000),
        st.integers(0, 100).map(float),
        st.dictionaries(st.sampled_from(["busy", "other"]), st.integers(1, 9)),
    ),
)


@given(st.lists(TRAFFIC))
def test_a_sum_of_sums_is_the_sum(parts: list[Traffic]) -> None:
    assert sum_of_traffic([sum_of_traffic(parts[:2]), sum_of_traffic(parts[2:])]) == sum_of_traffic(
        parts
    )
