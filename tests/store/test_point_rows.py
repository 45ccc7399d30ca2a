"""Points on disk are small, and are what they were but for the last digits of their sums."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaphealth.histogram import Histogram, histogram_of
from ldaphealth.store.point_rows import (
    points_blob,
    points_of,
    times_blob,
    times_of,
)
from ldaphealth.store.point_tables import DURATIONS

ROUNDING = 2e-5
seconds = st.one_of(st.floats(0, 1e6), st.sampled_from([0.0, 0.001, 0.5]))
histograms = st.lists(seconds, min_size=1, max_size=30).map(histogram_of)
operations = st.sampled_from(["search", "bind", "from ldap2.example.com", ""])
points = st.dictionaries(
    operations, st.dictionaries(st.integers(0, 59), histograms, min_size=1), max_size=4
)


def same(one: Histogram, other: Histogram) -> bool:
    """Return whether two histograms are equal, but for rounding."""
    return (one.count, dict(one.buckets)) == (other.count, dict(other.buckets)) and all(
        getattr(one, name) == pytest.approx(getattr(other, name), rel=ROUNDING, abs=1e-37)
        for name in ("sum", "sum_of_squares", "least", "most")
    )


@given(points)
def test_what_is_packed_is_read_again(whole: dict[str, dict[int, Histogram]]) -> None:
    found = points_of(points_blob(whole))

    assert found.keys() == whole.keys()
    for operation, steps in whole.items():
        assert [*found[operation]] == sorted(steps)
        assert all(same(found[operation][step], each) for step, each in steps.items())


@given(points)
def test_packing_again_changes_nothing(whole: dict[str, dict[int, Histogram]]) -> None:
    once = points_of(points_blob(whole))

    assert points_of(points_blob(once)) == once


@given(st.dictionaries(operations, st.dictionaries(operations, histograms)))
def test_what_is_fresh_is_read_again_exactly(times: dict[str, dict[str, Histogram]]) -> None:
    assert times_of(times_blob(times)) == times


@given(points, points)
def test_points_of_the_same_row_are_added(
    one: dict[str, dict[int, Histogram]], other: dict[str, dict[int, Histogram]]
) -> None:
    whole = {operation: dict(steps) for operation, steps in one.items()}
    DURATIONS.add(whole, other)

    for operation, steps in whole.items():
        for step, found in steps.items():
            parts = [each.get(operation, {}).get(step, Histogram()) for each in (one, other)]
            assert found.count == sum(part.count for part in parts)


@pytest.mark.parametrize("read", [points_of, times_of])
@pytest.mark.parametrize("blob", [b"", b"x", points_blob({})[:-3], zlib.compress(b"\xc1")])
def test_what_is_broken_is_an_error(read: Callable[[bytes], object], blob: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read(blob)


@given(st.binary(max_size=60), points)
def test_nothing_but_value_errors_come_of_any_bytes(
    noise: bytes, whole: dict[str, dict[int, Histogram]]
) -> None:
    blob = bytearray(points_blob(whole))
    blob[len(blob) // 2 :] = noise
    for read in (points_of, times_of):
        for each in (noise, bytes(blob)):
            try:
                read(each)
            except ValueError:
                continue


def test_an_hour_of_minutes_takes_a_few_bytes_a_minute() -> None:
    hour = {
        "search": {
            minute: histogram_of(0.001 + 0.0001 * (each * minute % 17) for each in range(12))
            for minute in range(60)
        }
    }

    assert len(points_blob(hour)) < 25 * 60
