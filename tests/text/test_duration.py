"""Durations in readable units."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaphealth.text.duration import brief, duration, one_unit, rounded_duration


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        pytest.param(0.9, "0 s", id="less than a second"),
        pytest.param(59.9, "59 s", id="cut and not rounded"),
        pytest.param(60, "1 min", id="no second unit when it is zero"),
        pytest.param(3_605, "1 h", id="only neighbouring units"),
        pytest.param(86_400 * 400 + 7_200, "400 d 2 h", id="days are the largest"),
    ],
)
def test_a_duration_is_shown_in_its_two_largest_units(seconds: float, expected: str) -> None:
    assert duration(seconds) == expected


@given(st.floats(0, 1e10))
def test_a_duration_as_shown_is_short_by_less_than_one_of_its_second_unit(seconds: float) -> None:
    sizes = {"d": 86_400, "h": 3_600, "min": 60, "s": 1}
    words = duration(seconds).split()
    shown = sum(
        int(amount) * sizes[unit] for amount, unit in zip(words[::2], words[1::2], strict=True)
    )

    assert 0 <= seconds - shown < max(1, seconds / 24)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        pytest.param(0.0, "0.0 µs", id="nothing"),
        pytest.param(0.000_42, "420 µs", id="microseconds"),
        pytest.param(0.001_24, "1.2 ms", id="milliseconds"),
        pytest.param(0.009_96, "10 ms", id="no digit after the point from ten on"),
        pytest.param(0.999_7, "1.0 s", id="what rounds to a thousand has the next unit"),
        pytest.param(5.0, "5.0 s", id="seconds"),
    ],
)
def test_how_long_an_operation_took_is_shown_in_its_own_unit(seconds: float, expected: str) -> None:
    assert brief(seconds) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.0012, "1.2 ms"), (59.9, "59.9 s"), (60, "1 min"), (3_700, "1 h 1 min")],
)
def test_only_less_than_a_minute_has_digits(seconds: float, expected: str) -> None:
    assert rounded_duration(seconds) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-3.0, "0 s"),
        (0.9, "0 s"),
        (67.0, "67 s"),
        (119.9, "119 s"),
        (120.0, "2 min"),
        (1101.0, "18 min"),
        (7199.0, "119 min"),
        (7200.0, "2 h"),
        (172_799.0, "47 h"),
        (172_800.0, "2 d"),
    ],
)
def test_a_duration_in_one_unit_is_short_and_not_far_off(seconds: float, expected: str) -> None:
    assert one_unit(seconds) == expected
