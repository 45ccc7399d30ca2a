"""The plot of durations: gaps, steps, words, and coordinates that are inside of it."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from ldaphealth.plots.axes import TimeAxis
from ldaphealth.plots.times_plot import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Quantiles,
    times_plot,
)

START = 1_795_744_800.0  # 2026-11-27T02:00:00Z
HOUR = 3600.0
AXIS = TimeAxis(START, START + 10 * HOUR)


def period(hour: float, median: float, high: float, length: float = HOUR) -> Quantiles:
    return Quantiles(
        start=START + hour * HOUR,
        length_seconds=length,
        median_seconds=median,
        high_seconds=high,
    )


def test_each_period_is_a_step_and_a_missing_one_a_gap() -> None:
    plot = times_plot(
        [period(0, 0.001, 0.01), period(1, 0.01, 0.01), period(5, 0.001, 0.01)], AXIS, "99 %"
    )

    assert plot.median_path == "M48 128H76.4V8H104.8M190 128H218.4"
    assert plot.high_path == "M48 8H76.4H104.8M190 8H218.4".replace("H76.4H", "H76.4V8H")
    assert plot.between_path == ("M48 8H76.4V8H104.8V8H76.4V128H48ZM190 8H218.4V128H190Z")
    assert [each.text for each in plot.durations] == ["1 ms", "2 ms", "5 ms", "10 ms"]
    assert [each.text for each in plot.times] == ["03:00", "06:00", "09:00", "12:00"]


def test_the_numbers_are_in_words_too() -> None:
    plot = times_plot([period(0, 0.001, 0.01), period(5, 0.002, 3.0)], AXIS, "99 %")

    assert plot.description == (
        "2 values, with 1 gap. Median: 1.0 ms to 2.0 ms. "
        "99 %: 10 ms to 3.0 s, the longest from 2026-11-27T07:00:00Z on."
    )
    assert times_plot([], AXIS, "99 %").description == "No times in this period."


def test_nothing_measured_is_an_empty_plot_and_not_zero() -> None:
    plot = times_plot([], AXIS, "99 %")

    assert (plot.median_path, plot.high_path, plot.between_path) == ("", "", "")


def test_a_coarser_point_is_drawn_once_beside_finer_ones() -> None:
    plot = times_plot(
        [period(0, 0.001, 0.01, 4 * HOUR), period(1, 1.0, 1.0), period(4, 0.01, 0.01)], AXIS, "99 %"
    )

    assert re.findall(r"[MHV]", plot.median_path) == ["M", "H", "V", "H"]


SECONDS = st.floats(allow_nan=True, allow_infinity=True)
PERIODS = st.lists(
    st.builds(
        Quantiles,
        start=st.floats(START - 20 * HOUR, START + 20 * HOUR),
        length_seconds=st.sampled_from([60.0, HOUR, 24 * HOUR]),
        median_seconds=SECONDS,
        high_seconds=SECONDS,
    ),
    max_size=8,
)


@given(PERIODS)
def test_whatever_was_measured_stays_inside(periods: list[Quantiles]) -> None:
    plot = times_plot(sorted(periods, key=lambda each: each.start), AXIS, "99 %")
    for path in (plot.median_path, plot.high_path, plot.between_path):
        assert re.fullmatch(r"(?:M[\d.]+ [\d.]+|[HV][\d.]+|Z)*", path)
        across = [float(each) for each in re.findall(r"[MH]([\d.]+)", path)]
        up = [float(each) for each in re.findall(r"(?:V|M[\d.]+ )([\d.]+)", path)]
        assert all(LEFT <= each <= WIDTH - RIGHT for each in across)
        assert all(TOP <= each <= BOTTOM for each in up)
    assert all(TOP <= each.position <= BOTTOM <= HEIGHT for each in plot.durations)
    assert all(LEFT <= each.position <= WIDTH - RIGHT for each in plot.times)
