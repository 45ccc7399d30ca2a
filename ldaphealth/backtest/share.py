"""A share that was counted, and how far it may be from that of many more counts. Pure."""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist

from msgspec import Struct

CONFIDENCE = 0.95
Z = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)


class Share(Struct, frozen=True):
    """So many `of` a number."""

    count: int
    of: int

    @property
    def ratio(self) -> float | None:
        """Return the share, 0 to 1; None of nothing."""
        return self.count / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Return the 95 % confidence interval of Wilson; None of nothing.

        Wilson, J. Am. Stat. Assoc. 22 (1927) 209: it is also right for few counts, and for 0 and 1.
        """
        if not self.of:
            return None
        ratio, part = self.count / self.of, Z * Z / self.of
        middle = ratio + part / 2
        half = Z * sqrt(ratio * (1 - ratio) / self.of + part / (4 * self.of))
        low, high = (middle - half) / (1 + part), (middle + half) / (1 + part)
        return (0.0 if not self.count else low, 1.0 if self.count == self.of else high)
