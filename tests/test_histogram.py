"""Histograms merged in any order equal the histogram of all numbers, with a bounded error."""

from __future__ import annotations

from functools import reduce
from math import ceil, inf

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaphealth.histogram import LEAST, GrowingHistogram, Histogram, histogram_of, merged

seconds = st.floats(0, 1e6)
numbers = st.lists(seconds, max_size=50)
ERROR = 0.05


def same(one: Histogram, other: Histogram) -> bool:
    """Return whether two histograms are equal, but for the rounding of sums."""
    return (
        (one.count, one.least, one.most, dict(one.buckets))
        == (other.count, other.least, other.most, dict(other.buckets))
        and one.sum == pytest.approx(other.sum, rel=1e-9)
        and one.sum_of_squares == pytest.approx(other.sum_of_squares, rel=1e-9)
    )


@given(numbers, numbers)
def test_merging_is_commutative(one: list[float], other: list[float]) -> None:
    assert same(
        merged([histogram_of(one), histogram_of(other)]),
        merged([histogram_of(other), histogram_of(one)]),
    )


@given(numbers, numbers, numbers)
def test_merging_is_associative(a: list[float], b: list[float], c: list[float]) -> None:
    left = merged([merged([histogram_of(a), histogram_of(b)]), histogram_of(c)])
    right = merged([histogram_of(a), merged([histogram_of(b), histogram_of(c)])])

    assert same(left, right)


@given(st.lists(numbers, max_size=8))
def test_merged_parts_are_the_whole(parts: list[list[float]]) -> None:
    whole = [number for part in parts for number in part]

    assert same(merged(map(histogram_of, parts)), histogram_of(whole))
    assert same(
        reduce(lambda x, y: merged([x, y]), map(histogram_of, parts), Histogram()),
        histogram_of(whole),
    )


@given(st.lists(seconds, min_size=1, max_size=200), st.floats(0.01, 1))
def test_a_quantile_is_within_five_percent_of_the_true_one(
    found: list[float], share: float
) -> None:
    ordered = sorted(found)
    rank = ceil(share * len(found))

    told = histogram_of(found).quantile(share)

    assert ordered[rank - 1] * (1 - ERROR) <= told
    assert told <= max(ordered[rank - 1], LEAST) * (1 + ERROR)
    assert ordered[0] <= told <= ordered[-1]


@given(st.lists(seconds, min_size=1, max_size=50))
def test_quantiles_grow_with_the_share_and_end_at_the_most(found: list[float]) -> None:
    spread = histogram_of(found)
    told = [spread.quantile(share / 10) for share in range(11)]

    assert told == sorted(told)
    assert told[-1] == max(found)


@given(numbers)
def test_merging_with_nothing_changes_nothing(found: list[float]) -> None:
    assert same(merged([Histogram(), histogram_of(found), Histogram()]), histogram_of(found))


def test_a_spread_of_nothing_has_no_quantile_and_no_buckets() -> None:
    for nothing in (histogram_of([]), merged([]), Histogram()):
        assert (nothing.count, nothing.sum, nothing.sum_of_squares) == (0, 0.0, 0.0)
        assert (nothing.least, nothing.most) == (inf, -inf)
        assert nothing.buckets == {}
        assert nothing.quantile(0.5) == 0.0


def test_what_is_less_than_a_microsecond_counts_as_one() -> None:
    spread = histogram_of([0.0, 1e-300, 5e-324])

    assert len(spread.buckets) == 1
    assert (spread.least, spread.most) == (0.0, 1e-300)
    assert spread.quantile(0.99) == 1e-300


def test_merging_leaves_its_parts_as_they_were() -> None:
    one, other = histogram_of([1.0]), histogram_of([1.0, 2.0])
    merged([one, other])
    merged([one, other])

    assert same(one, histogram_of([1.0]))
    assert same(other, histogram_of([1.0, 2.0]))


@given(st.lists(seconds, min_size=1, max_size=20))
def test_a_spread_survives_being_stored(found: list[float]) -> None:
    stored = msgspec.json.encode(histogram_of(found))

    assert msgspec.json.decode(stored, type=Histogram) == histogram_of(found)


def test_a_minute_of_a_thousand_numbers_stays_small() -> None:
    minute = histogram_of([0.001 * (1 + number % 97) for number in range(1000)])

    assert len(msgspec.json.encode(minute)) < 1000


@given(numbers, numbers)
def test_a_growing_histogram_is_that_of_its_numbers_and_snapshots_do_not_change(
    first: list[float], later: list[float]
) -> None:
    growing = GrowingHistogram()
    for each in first:
        growing.add(each)
    before = growing.snapshot()
    for each in later:
        growing.add(each)

    assert same(before, histogram_of(first))
    assert same(growing.snapshot(), histogram_of([*first, *later]))
