"""Median and quantile of a few numbers. Pure.

The module statistics of the standard library is slow to load, for processes that end soon. Of many
numbers, histogram.py has the quantiles.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil


def median(numbers: Sequence[float]) -> float:
    """Return the number in the middle, or the mean of the two; ZeroDivisionError for none."""
    middle = sorted(numbers)[(len(numbers) - 1) // 2 : len(numbers) // 2 + 1]
    return sum(middle) / len(middle)


def quantile(numbers: Sequence[float], share: float) -> float:
    """Return the least of them that this share does not exceed; IndexError for none."""
    return sorted(numbers)[max(0, ceil(share * len(numbers)) - 1)]
