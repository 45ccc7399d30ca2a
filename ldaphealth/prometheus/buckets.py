"""The buckets of a histogram as Prometheus counts them: all that is below each bound. Pure."""

from __future__ import annotations

from bisect import bisect_right
from functools import cache
from itertools import accumulate

from ldaphealth.histogram import BUCKETS_PER_OCTAVE, Histogram
from ldaphealth.prometheus.family import Exponents


@cache
def bounds(exponents: Exponents) -> tuple[str, ...]:
    """Return the bounds as values of the label `le`, the last of which is infinity."""
    return (*(str(2.0**exponent) for exponent in exponents), "+Inf")


def cumulative(times: Histogram, exponents: Exponents) -> list[int]:
    """Return how many values are below each bound, the last of which is infinity.

    A value that equals a bound counts as above it: the buckets exclude their upper bound.
    """
    places, counts = _places(exponents), [0] * (len(exponents) + 1)
    for bucket, count in times.buckets.items():
        counts[places[bucket]] += count
    return [*accumulate(counts[:-1]), times.count]


class _Places(dict[int, int]):
    """The place of each bucket among the bounds, which is computed once."""

    def __init__(self, exponents: Exponents) -> None:
        super().__init__()
        self._firsts = [exponent * BUCKETS_PER_OCTAVE for exponent in exponents]

    def __missing__(self, bucket: int) -> int:
        """Return the number of bounds that are not above the bucket."""
        place = self[bucket] = bisect_right(self._firsts, bucket)
        return place


_places = cache(_Places)
