"""Durations counted by octave: how many are below each power of two, and their sum. Pure.

That is what Prometheus collects of an operation since the start of the agent. Of each minute more
is kept (histogram.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import frexp

from msgspec import Struct

LEAST = -20  # the octave of a microsecond, and of all that is smaller


class Octaves(Struct, frozen=True):
    """The sum of numbers, and how many are in each octave: from 2**octave to below twice that."""

    sum: float = 0.0
    counts: Mapping[int, int] = {}


class GrowingOctaves:
    """The same, to which numbers are added one by one."""

    __slots__ = ("_counts", "_sum")

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self._sum = 0.0

    def add(self, number: float) -> None:
        """Add a number that is not negative."""
        octave = octave_of(number)
        self._counts[octave] = self._counts.get(octave, 0) + 1
        self._sum += number

    def snapshot(self) -> Octaves:
        """Return those of the numbers so far."""
        return Octaves(self._sum, {**self._counts})


def octave_of(number: float) -> int:
    """Return the octave of a number that is not negative."""
    _, exponent = frexp(number)  # of a fraction from 0.5 to below 1
    return max(exponent - 1, LEAST) if number else LEAST


def octaves_of(numbers: Iterable[float]) -> Octaves:
    """Return the octaves of numbers that are not negative."""
    growing = GrowingOctaves()
    for each in numbers:
        growing.add(each)
    return growing.snapshot()
