"""The kinds of points: durations of operations, and numbers. Each has two tables of the history.

The functions of `history_points.py` treat all kinds alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, Protocol, TypeVar

from msgspec import Struct

from ldaphealth.histogram import Histogram, merged
from ldaphealth.history.aggregate import Aggregate, combined
from ldaphealth.store.number_rows import (
    number_points_blob,
    number_points_of,
    numbers_blob,
    numbers_of,
)
from ldaphealth.store.point_rows import points_blob, points_of, times_blob, times_of


class CountedPoint(Protocol):
    """A point of any kind."""

    @property
    def count(self) -> int:
        """Return how much was counted in it."""


T = TypeVar("T", bound=CountedPoint)
K = TypeVar("K", str, int)


class PointTables(Struct, Generic[T], frozen=True, kw_only=True):
    """The tables of one kind of points, the bytes in them, and how points are added.

    `fresh` has in the column `fresh_column` what `step_blob` makes of all points of a server at one
    time, by check and name. `packed` has in the column `points` what `row_blob` makes of those of a
    check, by name and number of the step. `added` gets points oldest first. ValueError of `step_of`
    and `row_of`: the bytes are broken. `packed_part`: packed, the points of an hour need less than
    this part of their bytes in `fresh`.
    """

    fresh: str
    fresh_column: str
    packed: str
    step_blob: Callable[[Mapping[str, Mapping[str, T]]], bytes]
    step_of: Callable[[bytes], dict[str, dict[str, T]]]
    row_blob: Callable[[Mapping[str, Mapping[int, T]]], bytes]
    row_of: Callable[[bytes], dict[str, dict[int, T]]]
    added: Callable[[Iterable[T]], T]
    packed_part: int

    def add(self, whole: dict[str, dict[K, T]], later: Mapping[str, Mapping[K, T]]) -> None:
        """Add later points of the same times, or of the same row."""
        for name, points in later.items():
            known = whole.setdefault(name, {})
            for key, point in points.items():
                found = known.get(key)
                known[key] = point if found is None else self.added((found, point))


DURATIONS = PointTables[Histogram](
    fresh="fresh",
    fresh_column="times",
    packed="packed",
    step_blob=times_blob,
    step_of=times_of,
    row_blob=points_blob,
    row_of=points_of,
    added=merged,
    packed_part=3,  # it is a quarter
)
NUMBERS = PointTables[Aggregate](
    fresh="fresh_number",
    fresh_column="numbers",
    packed="packed_number",
    step_blob=numbers_blob,
    step_of=numbers_of,
    row_blob=number_points_blob,
    row_of=number_points_of,
    added=combined,
    packed_part=4,  # a tenth, unless all numbers change all the time
)
KINDS: tuple[PointTables[Any], ...] = (DURATIONS, NUMBERS)
