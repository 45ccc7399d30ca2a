"""The buckets of a histogram as Prometheus counts them: all that is below each bound. Pure."""

from __future__ import annotations

from bisect import bisect_right
from functools import cache
from itertools import accumulate

from ldaphealth.octaves import Octaves
from ldaphealth.prometheus.family import Exponents


@cache
def bounds(exponents: Exponents) -> tuple[str, ...]:
    """Return the bounds as values of the label `le`, the last of which is infinity."""
    return (*(str(2.0**exponent) for exponent in exponents), "+Inf")


def cumulative(times: Octaves, exponents: Exponents) -> list[int]:
    """Return how many values are below each bound, and as the last one how many there are.

    A value that equals a bound counts as above it: an octave excludes its upper bound.
    """
    counts = [0] * (len(exponents) + 1)
    for octave, count in times.counts.items():
        counts[bisect_right(exponents, octave)] += count
    return [*accumulate(counts)]
