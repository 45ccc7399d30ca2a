"""The axis of numbers: round labels, and places that are always on it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaphealth.plots.number_axis import MOST_STEPS, SECONDS, NumberAxis, short_number


@pytest.mark.parametrize(
    ("numbers", "unit", "labels"),
    [
        ([0.0, 600.0], SECONDS, ["0 s", "5 min", "10 min"]),
        ([0.0, 0.3], SECONDS, ["0 s", "0.1 s", "0.2 s", "0.3 s"]),
        ([3.0, 7.0], "connections", ["0", "2", "4", "6", "8"]),
        ([1_200_000.0, 1_260_000.0], "pages", ["1.2 M", "1.22 M", "1.24 M", "1.26 M"]),
        ([5.0], "entries", ["5", "6"]),
        ([0.0], "entries", ["0", "1"]),
        ([], SECONDS, ["0 s", "0.1 s"]),
        ([88.0, 87.2], "days", ["87", "88"]),
    ],
)
def test_labels_are_round(numbers: list[float], unit: str, labels: list[str]) -> None:
    assert [each.label for each in NumberAxis.of(numbers, unit).ticks()] == labels


@given(
    st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=5),
    st.sampled_from([SECONDS, "pages"]),
    st.floats(allow_nan=True, allow_infinity=True),
)
def test_a_number_is_on_the_axis(numbers: list[float], unit: str, other: float) -> None:
    axis = NumberAxis.of(numbers, unit)
    places = [each.share for each in axis.ticks()]

    assert 0.0 <= axis.share(other) <= 1.0
    assert 2 <= len(places) <= MOST_STEPS + 1
    assert places == sorted(set(places))
    assert (places[0], places[-1]) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (29.75, "29.75"),
        (999, "999"),
        (1234, "1.234 k"),
        (254_312, "254.3 k"),
        (2e6, "2 M"),
    ],
)
def test_a_number_is_short(number: float, text: str) -> None:
    assert short_number(number) == text
