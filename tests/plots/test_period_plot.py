"""The plot of a number by period: gaps, steps, and coordinates that are inside of it."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from ldaphealth.plots.axes import DurationAxis, TimeAxis
from ldaphealth.plots.period_plot import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    PeriodPlot,
    Values,
    period_plot,
)

START = 1_795_744_800.0  # 2026-11-27T02:00:00Z
HOUR = 3600.0
AXIS = TimeAxis(START, START + 10 * HOUR)


def period(hour: float, median: float, high: float, length: float = HOUR) -> Values:
    return Values(
        start=START + hour * HOUR,
        length_seconds=length,
        middle=median,
        edge=high,
    )


def drawn(periods: list[Values]) -> PeriodPlot:
    durations = DurationAxis.of(each for of in periods for each in (of.middle, of.edge))
    return period_plot(periods, AXIS, durations)


def test_each_period_is_a_step_and_a_missing_one_a_gap() -> None:
    plot = drawn([period(0, 0.001, 0.01), period(1, 0.01, 0.01), period(5, 0.001, 0.01)])

    assert plot.middle_path == "M48 128H76.4V8H104.8M190 128H218.4"
    assert plot.edge_path == "M48 8H76.4H104.8M190 8H218.4".replace("H76.4H", "H76.4V8H")
    assert plot.between_path == ("M48 8H76.4V8H104.8V8H76.4V128H48ZM190 8H218.4V128H190Z")
    assert [each.text for each in plot.values] == ["1 ms", "2 ms", "5 ms", "10 ms"]
    assert [each.text for each in plot.times] == ["03:00", "06:00", "09:00", "12:00"]


def test_nothing_measured_is_an_empty_plot_and_not_zero() -> None:
    plot = drawn([])

    assert (plot.middle_path, plot.edge_path, plot.between_path) == ("", "", "")


def test_a_coarser_point_is_drawn_once_beside_finer_ones() -> None:
    plot = drawn([period(0, 0.001, 0.01, 4 * HOUR), period(1, 1.0, 1.0), period(4, 0.01, 0.01)])

    assert re.findall(r"[MHV]", plot.middle_path) == ["M", "H", "V", "H"]


SECONDS = st.floats(allow_nan=True, allow_infinity=True)
PERIODS = st.lists(
    st.builds(
        Values,
        start=st.floats(START - 20 * HOUR, START + 20 * HOUR),
        length_seconds=st.sampled_from([60.0, HOUR, 24 * HOUR]),
        middle=SECONDS,
        edge=SECONDS,
    ),
    max_size=8,
)


@given(PERIODS)
def test_whatever_was_measured_stays_inside(periods: list[Values]) -> None:
    plot = drawn(sorted(periods, key=lambda each: each.start))
    for path in (plot.middle_path, plot.edge_path, plot.between_path):
        assert re.fullmatch(r"(?:M[\d.]+ [\d.]+|[HV][\d.]+|Z)*", path)
        across = [float(each) for each in re.findall(r"[MH]([\d.]+)", path)]
        up = [float(each) for each in re.findall(r"(?:V|M[\d.]+ )([\d.]+)", path)]
        assert all(LEFT <= each <= WIDTH - RIGHT for each in across)
        assert all(TOP <= each <= BOTTOM for each in up)
    assert all(TOP <= each.position <= BOTTOM <= HEIGHT for each in plot.values)
    assert all(LEFT <= each.position <= WIDTH - RIGHT for each in plot.times)
