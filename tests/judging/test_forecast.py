"""Forecasts are right for what grows, and silent for what falls again."""

from __future__ import annotations

from collections.abc import Callable
from math import pi, sin
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ldaphealth.judging.forecast import Forecast, forecast

DAY = 24
WARNING_SECONDS = 3 * 86400.0
Shape = Callable[[int, Random], float]


def numbers(shape: Shape, hours: int, seed: int = 1) -> dict[int, float]:
    random = Random(seed)  # noqa: S311  no secret
    return {hour: shape(hour, random) for hour in range(hours)}


def is_alarm(found: Forecast | None) -> bool:
    """Return whether a warning is given: the whole interval is within the time for it."""
    latest = found.latest_seconds if found else None
    return latest is not None and latest <= WARNING_SECONDS


def test_what_grows_evenly_reaches_its_limit_when_it_does() -> None:
    found = forecast(numbers(lambda hour, _: float(hour), 14 * DAY), 14 * DAY + 47)

    assert found == Forecast(
        earliest_seconds=48 * 3600.0, likely_seconds=48 * 3600.0, latest_seconds=48 * 3600.0
    )
    assert str(found) == "in about 2 d"


def test_noise_widens_the_interval_around_the_truth() -> None:
    seen = numbers(lambda hour, random: hour + random.gauss(0, 6), 14 * DAY)

    found = forecast(seen, 14 * DAY + 72)

    assert found is not None
    assert found.latest_seconds is not None
    assert found.earliest_seconds < 72 * 3600 < found.latest_seconds
    assert found.likely_seconds == pytest.approx(72 * 3600, rel=0.2)


@pytest.mark.parametrize(
    ("seen", "limit"),
    [
        pytest.param({}, 1.0, id="nothing"),
        pytest.param(numbers(lambda hour, _: float(hour), 6 * DAY), 150.0, id="less than a week"),
        pytest.param(numbers(lambda _hour, _: 5.0, 14 * DAY), 6.0, id="it stays as it is"),
        pytest.param(numbers(lambda hour, _: float(-hour), 14 * DAY), 6.0, id="it falls"),
        pytest.param(numbers(lambda hour, _: float(hour), 14 * DAY), 1e6, id="it is far away"),
        pytest.param({0: 1.0, 400: 9.0}, 10.0, id="two numbers only"),
    ],
)
def test_nothing_is_said_without_reason(seen: dict[int, float], limit: float) -> None:
    assert forecast(seen, limit) is None


def test_a_limit_that_was_reached_is_reached_now() -> None:
    found = forecast(numbers(lambda hour, _: float(hour), 14 * DAY), 100.0)

    assert found is not None
    assert found.latest_seconds == 0


def test_missing_hours_are_no_hindrance() -> None:
    seen = numbers(lambda hour, _: float(hour), 14 * DAY)
    for hour in range(50, 100):
        del seen[hour]

    found = forecast(seen, 14 * DAY + 47)

    assert found is not None
    assert found.latest_seconds == 48 * 3600


SHAPES: dict[str, Shape] = {
    "a day's sawtooth up to the limit": lambda hour, random: (
        40 + 59 * (hour % DAY) / DAY + random.uniform(0, 0.5)
    ),
    "a week's sawtooth up to the limit": lambda hour, random: (
        10 + 89 * (hour % (7 * DAY)) / (7 * DAY) + random.uniform(0, 0.5)
    ),
    "noise below the limit": lambda _hour, random: min(99.0, random.gauss(85, 6)),
    "office hours": lambda hour, random: 60 + 35 * sin(2 * pi * hour / DAY) + random.uniform(0, 3),
    "an outlier": lambda hour, _random: 99.0 if hour == 20 * DAY else 50.0,
    "a step": lambda hour, _random: 95.0 if hour > 10 * DAY else 50.0,
}


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("seed", range(2))
def test_thirty_days_without_an_end_raise_no_alarm(name: str, seed: int) -> None:
    seen = numbers(SHAPES[name], 30 * DAY, seed)

    alarms = [
        hour
        for hour in range(0, 30 * DAY, 7)
        if is_alarm(forecast({at: seen[at] for at in range(hour + 1)}, 100.0))
    ]

    assert alarms == []


@pytest.mark.parametrize("seed", range(2))
def test_what_fills_is_warned_of_before_it_is_full(seed: int) -> None:
    seen = numbers(lambda hour, random: hour / 6 + random.uniform(0, 1), 25 * DAY, seed)
    full = next(hour for hour in range(25 * DAY) if seen[hour] >= 95)

    first = next(
        hour
        for hour in range(0, full, 3)
        if is_alarm(forecast({at: seen[at] for at in range(hour + 1)}, 95.0))
    )

    assert full - 3 * DAY <= first < full - 2 * DAY


@given(
    st.dictionaries(st.integers(0, 400), st.floats(-1e6, 1e6), max_size=60), st.floats(-1e6, 1e6)
)
def test_the_interval_is_in_order(seen: dict[int, float], limit: float) -> None:
    found = forecast(seen, limit)

    if found is not None:
        assert 0 <= found.earliest_seconds <= found.likely_seconds
        assert found.latest_seconds is None or found.likely_seconds <= found.latest_seconds


@settings(max_examples=40, deadline=None)
@given(
    period=st.integers(2, 7 * DAY),
    phase=st.integers(0, 7 * DAY),
    height=st.floats(1, 60),
    noise=st.floats(0, 3),
    hour=st.integers(0, 30 * DAY),
)
def test_what_falls_again_within_a_week_is_no_alarm(
    period: int, phase: int, height: float, noise: float, hour: int
) -> None:
    seen = numbers(
        lambda at, random: (
            96 - height * (1 - (at + phase) % period / period) + random.uniform(0, noise)
        ),
        hour + 1,
    )

    assert not is_alarm(forecast(seen, 100.0))


@settings(max_examples=40, deadline=None)
@given(days=st.floats(4, 20), noise=st.floats(0, 0.5), left_hours=st.integers(1, 48))
def test_growth_is_found_whatever_its_rate(days: float, noise: float, left_hours: int) -> None:
    hours = 21 * DAY
    rate = 100 / (days * DAY)
    seen = numbers(lambda at, random: rate * at + random.uniform(0, noise), hours)

    found = forecast(seen, rate * (hours - 1 + left_hours) + noise)

    assert is_alarm(found)
