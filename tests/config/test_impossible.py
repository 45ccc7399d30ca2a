"""Thresholds that can never alert, or always do, are mistakes; all others are taken."""

from __future__ import annotations

from math import inf
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct
from msgspec.structs import replace

from ldaphealth.checks import BUILT_IN, OFF_WITHOUT_SETTINGS, bind, latency, resources, search
from ldaphealth.checks.monitor import Params as MonitorParams
from ldaphealth.checks.monitor import Ratio
from ldaphealth.config.impossible import Measured, _wrong, impossible_thresholds
from ldaphealth.judging.thresholds import Range, Thresholds, at_most, parse_range
from ldaphealth.settings import Cluster

CLUSTER = Cluster(name="c", servers=(), checks=(), min_in_service=0, deadline_seconds=4.0)


def mistakes(params: Struct, cluster: Cluster = CLUSTER) -> dict[str, str]:
    return dict(impossible_thresholds(params, cluster))


def critical(text: str | float) -> Thresholds:
    return Thresholds(critical=parse_range(text))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("0:", "can never alert"),
        ("~:", "can never alert"),
        ("4", "can never alert"),
        ("10", "can never alert"),
        ("@5:9", "can never alert"),
        ("@~:0", "can never alert"),
        ("0", "always alerts"),
        ("5:", "always alerts"),
        ("~:-1", "always alerts"),
        ("@0:", "always alerts"),
        ("@0:4", "always alerts"),
        ("1:9", "has an upper bound that is never exceeded"),
        ("0.5", ""),
        ("3.9", ""),
        ("1:", ""),
        ("1:3", ""),
        ("@2:9", ""),
        ("@0:2", ""),
    ],
)
def test_the_time_of_an_operation_is_not_longer_than_the_deadline(text: str, what: str) -> None:
    bounds = "what is measured is more than 0, at most 4 (deadline_seconds)"
    expected = {"seconds.critical": f"{parse_range(text)} {what}: {bounds}"} if what else {}

    assert mistakes(bind.Params(critical(text))) == expected
    assert mistakes(latency.Params(seconds=critical(text))) == expected


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("200", "can never alert"),
        ("10:200", "has an upper bound that is never exceeded"),
        ("201:", "always alerts"),
        ("10:199", ""),
        ("200:", ""),
        ("1:", ""),
        ("0", ""),
        ("@0:0", ""),
    ],
)
def test_entries_are_not_more_than_the_size_limit(text: str, what: str) -> None:
    found = mistakes(search.Params(entries=critical(text), size_limit=200))

    assert [*found] == (["entries.critical"] if what else [])
    assert what in "".join(found.values())


def test_a_larger_size_limit_permits_more_entries() -> None:
    assert mistakes(search.Params(entries=critical("500:"), size_limit=600)) == {}


def test_a_share_in_percent_is_a_mistake() -> None:
    found = mistakes(resources.Params(database_ratio=at_most(80, 95)))

    assert found["database_ratio.critical"] == (
        "95 can never alert: what is measured is at least 0, at most 1"
    )
    assert mistakes(resources.Params(database_ratio=at_most(0.7, 0.9))) == {}


def test_thresholds_in_a_list_are_checked() -> None:
    ratios = (Ratio("add", "search", at_most(1, 2)), Ratio("add", "search", critical("0:")))

    assert [*mistakes(MonitorParams(ratios=ratios))] == ["ratios.2.ratio.critical"]


@pytest.mark.parametrize(
    ("warning", "critical", "is_mistake"),
    [
        ("3", "1", True),
        ("1:", "2:", True),
        ("1", "1", False),
        ("1", "3", False),
        ("2:", "1:", False),
        ("@1:2", "@0.5:3", True),
        ("@0.5:3", "@1:2", False),
        ("1:3", "2", False),
        ("@1:2", "3", False),
    ],
)
def test_a_warning_that_is_always_critical_is_a_mistake(
    warning: str, critical: str, is_mistake: bool
) -> None:
    limits = Thresholds(parse_range(warning), parse_range(critical))

    found = mistakes(bind.Params(limits))

    assert [*found] == (["seconds.warning"] if is_mistake else [])


@pytest.mark.parametrize("deadline_seconds", [0.5, 5.0])
def test_defaults_are_no_mistakes(deadline_seconds: float) -> None:
    cluster = replace(CLUSTER, deadline_seconds=deadline_seconds)
    for name in {*BUILT_IN} - OFF_WITHOUT_SETTINGS:
        assert mistakes(BUILT_IN[name].params(), cluster) == {}


def test_of_a_check_that_states_no_bounds_any_number_is_possible() -> None:
    class Params(Struct):
        offset: Annotated[Thresholds, Meta(description="may be negative")] = Thresholds()

    assert mistakes(Params(critical("~:-1"))) == {}
    assert mistakes(Params(critical("~:"))) == {
        "offset.critical": "~: can never alert: what is measured is any number"
    }


WHOLE = st.integers(-3, 12).map(float)
RANGES = st.tuples(WHOLE | st.just(-inf), WHOLE | st.just(inf), st.booleans()).map(
    lambda parts: Range(min(parts[:2]), max(parts[:2]), parts[2])
)


@given(RANGES)
def test_what_alerts_on_some_numbers_only_is_no_mistake(limits: Range) -> None:
    found = [*_wrong(limits, Measured(0, 10))]
    alerts = {limits.alerts(number / 2) for number in range(21)}

    assert len(alerts) == 2 or found
    assert len(alerts) == 1 or not found or "upper bound" in found[0]
