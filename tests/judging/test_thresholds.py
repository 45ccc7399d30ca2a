"""Ranges mean what the Nagios plugin guidelines say."""

from __future__ import annotations

from math import inf

import nagiosplugin
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaphealth.judging.thresholds import Range, Thresholds, at_most, parse_range
from ldaphealth.model import State

NUMBERS = st.floats(-1e12, 1e12).map(lambda value: value + 0.0)  # no minus zero
RANGES = st.tuples(NUMBERS | st.just(-inf), NUMBERS | st.just(inf), st.booleans()).map(
    lambda parts: Range(min(parts[:2]), max(parts[:2]), parts[2])
)


@pytest.mark.parametrize(
    ("text", "quiet", "alerts"),
    [
        ("10", [0, 10], [-1, 10.1]),
        ("10:", [10, 1e9], [9.9, -1]),
        ("~:10", [-1e9, 10], [10.1]),
        ("10:20", [10, 20], [9, 21]),
        ("@10:20", [9, 21], [10, 20]),
        ("0.5", [0.5], [0.51]),
    ],
)
def test_a_range_alerts_outside_and_with_at_inside(
    text: str, quiet: list[float], alerts: list[float]
) -> None:
    parsed = parse_range(text)

    assert [v for v in quiet if parsed.alerts(v)] == []
    assert [v for v in alerts if not parsed.alerts(v)] == []


@given(RANGES)
def test_a_printed_range_reads_back_the_same(written: Range) -> None:
    assert parse_range(str(written)) == written


@given(RANGES, NUMBERS)
def test_a_range_agrees_with_nagiosplugin(written: Range, value: float) -> None:
    assert written.alerts(value) is not nagiosplugin.Range(str(written)).match(value)


@pytest.mark.parametrize("text", ["", "x", "5:1", "1:2:3", "--1", "nan", "9" * 400])
def test_what_is_no_range_is_quoted(text: str) -> None:
    with pytest.raises(ValueError, match="is not a range") as caught:
        parse_range(text)

    assert repr(text) in str(caught.value)


def test_critical_wins_over_warning() -> None:
    limits = at_most(1, 2)

    states = [limits.state(v) for v in (1, 1.5, 2.5)]

    assert states == [State.OK, State.WARNING, State.CRITICAL]
    assert Thresholds().state(1e9) is State.OK
