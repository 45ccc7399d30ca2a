"""The axes: labels at whole moments, and places that are always on the axis."""

from __future__ import annotations

from datetime import datetime
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaphealth.plots.axes import BOUNDS, MOST_DURATIONS, MOST_TICKS, DurationAxis, TimeAxis

SECONDS = st.floats(allow_nan=True, allow_infinity=True)
EPOCHS = st.floats(0.0, 4e9)


def epoch(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@pytest.mark.parametrize(
    ("since", "until", "labels"),
    [
        ("2026-11-27T10:07Z", "2026-11-27T11:07Z", ["10:15", "10:30", "10:45", "11:00"]),
        ("2026-11-26T10:07Z", "2026-11-27T10:07Z", ["12:00", "18:00", "00:00", "06:00"]),
        ("2026-11-20T10:07Z", "2026-11-27T10:07Z", ["21 Nov", "23 Nov", "25 Nov", "27 Nov"]),
        (
            "2026-10-28T10:07Z",
            "2026-11-27T10:07Z",
            ["3 Nov", "13 Nov", "23 Nov"],
        ),
        (
            "2025-11-27T10:07Z",
            "2026-11-27T10:07Z",
            ["2026", "Apr", "Jul", "Oct"],
        ),
        ("2000-01-01T00:00Z", "2026-11-27T00:00Z", ["2000", "2010", "2020"]),
    ],
    ids=["hour", "day", "week", "month", "year", "26 years"],
)
def test_a_period_has_labels_at_whole_moments(since: str, until: str, labels: list[str]) -> None:
    ticks = TimeAxis(epoch(since), epoch(until)).ticks()

    assert [each.label for each in ticks] == labels


@given(EPOCHS, st.floats(60.0, 1e9), EPOCHS)
def test_a_moment_and_its_labels_are_on_the_axis(since: float, length: float, at: float) -> None:
    axis = TimeAxis(since, since + length)
    places = [each.share for each in axis.ticks()]

    assert 0.0 <= axis.share(at) <= 1.0
    assert all(0.0 <= each <= 1.0 for each in places)
    assert places == sorted(set(places))
    assert len(places) <= 2 * MOST_TICKS + 1


@pytest.mark.parametrize(
    ("seconds", "labels"),
    [
        ([0.0012, 0.0013], ["500 µs", "1 ms", "2 ms", "5 ms"]),
        ([0.001, 0.01], ["1 ms", "2 ms", "5 ms", "10 ms"]),
        ([0.0003, 5.0], ["1 ms", "10 ms", "100 ms", "1 s"]),
        ([1e-6, 1e3], ["1 µs", "100 µs", "10 ms", "1 s", "100 s"]),
        ([], ["1 µs", "2 µs", "5 µs", "10 µs"]),
        ([inf], ["100 s", "200 s", "500 s", "1000 s"]),
    ],
    ids=["nearly equal", "one decade", "many", "all", "nothing", "without end"],
)
def test_durations_have_labels_of_one_digit(seconds: list[float], labels: list[str]) -> None:
    assert [each.label for each in DurationAxis.of(seconds).ticks()] == labels


@given(st.lists(SECONDS, max_size=5), SECONDS)
def test_a_duration_is_on_the_axis(seconds: list[float], other: float) -> None:
    axis = DurationAxis.of(seconds)
    places = [each.share for each in axis.ticks()]

    assert {axis.least, axis.most} <= set(BOUNDS)
    assert axis.most / axis.least >= 9.9
    assert 0.0 <= axis.share(other) <= 1.0
    assert axis.share(nan) == 1.0 or axis.most < BOUNDS[-1]
    assert 2 <= len(places) <= MOST_DURATIONS
    assert all(0.0 <= each <= 1.0 for each in places)
    inside = [each for each in seconds if axis.least <= each <= axis.most]
    assert [axis.share(each) for each in sorted(inside)] == sorted(map(axis.share, inside))
