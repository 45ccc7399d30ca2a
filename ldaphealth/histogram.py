"""Histograms of durations that can be merged: what is kept of each minute. Pure.

Averages cannot be merged without error. Counts in buckets can, and they give quantiles.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import ceil, floor, inf, log2

from msgspec import Struct

BUCKETS_PER_OCTAVE = 8  # each bucket is 9 % wide, so its middle is wrong by 4.4 % at most
MIDDLE = 2 / (1 + 2 ** (1 / BUCKETS_PER_OCTAVE))  # of a bucket, as a part of its end
LEAST = 2.0**-20  # a microsecond; smaller numbers are counted in its bucket


class Histogram(Struct, frozen=True, kw_only=True, array_like=True):
    """Count, sum, sum of squares, minimum, maximum, and counts in buckets of equal ratio."""

    count: int = 0
    sum: float = 0.0
    sum_of_squares: float = 0.0
    least: float = inf
    most: float = -inf
    buckets: Mapping[int, int] = {}

    def quantile(self, share: float) -> float:
        """Return the `share` quantile, wrong by 4.4 % at most above a microsecond; 0 if empty."""
        if not self.count:
            return 0.0
        wanted, seen = ceil(share * self.count), 0
        if wanted >= self.count:
            return self.most
        for bucket in sorted(self.buckets):
            seen += self.buckets[bucket]
            if seen >= wanted:
                return min(max(middle(bucket), self.least), self.most)
        return self.most


class GrowingHistogram:
    """A histogram to which numbers are added one by one. A snapshot does not change."""

    __slots__ = ("_buckets", "_count", "_least", "_most", "_squares", "_sum")

    def __init__(self) -> None:
        self._count, self._sum, self._squares = 0, 0.0, 0.0
        self._least, self._most = inf, -inf
        self._buckets: dict[int, int] = {}

    def add(self, number: float) -> None:
        """Add a number that is not negative."""
        self._count += 1
        self._sum += number
        self._squares += number * number
        self._least, self._most = min(self._least, number), max(self._most, number)
        bucket = bucket_of(number)
        self._buckets[bucket] = self._buckets.get(bucket, 0) + 1

    def snapshot(self) -> Histogram:
        """Return the histogram of the numbers so far."""
        return Histogram(
            count=self._count,
            sum=self._sum,
            sum_of_squares=self._squares,
            least=self._least,
            most=self._most,
            buckets={**self._buckets},
        )


def bucket_of(number: float) -> int:
    """Return the bucket of a number that is not negative."""
    return floor(log2(max(number, LEAST)) * BUCKETS_PER_OCTAVE)


def upper_bound(bucket: int) -> float:
    """Return the number at which a bucket ends."""
    bound: float = 2.0 ** ((bucket + 1) / BUCKETS_PER_OCTAVE)
    return bound


def middle(bucket: int) -> float:
    """Return the number whose relative difference to both ends of a bucket is the same."""
    return upper_bound(bucket) * MIDDLE


def bucket_ending_at(bound: float) -> int:
    """Return the bucket that ends at a number, which may have been rounded."""
    return round(log2(max(bound, LEAST)) * BUCKETS_PER_OCTAVE) - 1


def histogram_of(numbers: Iterable[float]) -> Histogram:
    """Return the histogram of numbers that are not negative."""
    found = [*numbers]
    buckets: dict[int, int] = {}
    for number in found:
        bucket = bucket_of(number)
        buckets[bucket] = buckets.get(bucket, 0) + 1
    return Histogram(
        count=len(found),
        sum=sum(found),
        sum_of_squares=sum(each * each for each in found),
        least=min(found, default=inf),
        most=max(found, default=-inf),
        buckets=buckets,
    )


def merged(histograms: Iterable[Histogram]) -> Histogram:
    """Return the histogram of all their numbers together; cheap if the first one is the largest."""
    others = iter(histograms)
    first = next(others, Histogram())
    count, total, squares = first.count, first.sum, first.sum_of_squares
    least, most, buckets = first.least, first.most, dict(first.buckets)
    for each in others:
        count += each.count
        total += each.sum
        squares += each.sum_of_squares
        least, most = min(least, each.least), max(most, each.most)
        for bucket, number in each.buckets.items():
            buckets[bucket] = buckets.get(bucket, 0) + number
    return Histogram(
        count=count, sum=total, sum_of_squares=squares, least=least, most=most, buckets=buckets
    )
