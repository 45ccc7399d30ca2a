"""Numbers of a period as five numbers that can be added to those of later periods. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf

from msgspec import Struct


class Aggregate(Struct, frozen=True, kw_only=True, array_like=True):
    """How many numbers there were, their sum, the least, the most, and the last of them."""

    count: int = 0
    sum: float = 0.0
    least: float = inf
    most: float = -inf
    last: float = 0.0

    @property
    def mean(self) -> float:
        """Return the mean; 0 without numbers."""
        return self.sum / self.count if self.count else 0.0


def aggregate_of(numbers: Iterable[float]) -> Aggregate:
    """Return the aggregate of numbers, oldest first."""
    found = [*numbers]
    if not found:
        return Aggregate()
    return Aggregate(
        count=len(found), sum=sum(found), least=min(found), most=max(found), last=found[-1]
    )


def combined(aggregates: Iterable[Aggregate]) -> Aggregate:
    """Return the aggregate of all their numbers together; the periods are oldest first."""
    found = [each for each in aggregates if each.count]
    if not found:
        return Aggregate()
    return Aggregate(
        count=sum(each.count for each in found),
        sum=sum(each.sum for each in found),
        least=min(each.least for each in found),
        most=max(each.most for each in found),
        last=found[-1].last,
    )
