"""The durations of a check in each minute of the last hour, for the plots of the page. Pure.

live_state.py keeps one `LastHour` for each server and check. It is immutable, so any thread may
read it.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from ldaphealth.clocks import MonotonicSeconds
from ldaphealth.histogram import Histogram, histogram_of, merged

KEPT_MINUTES = 60
MINUTE_SECONDS = 60


class MinutePoint(Struct, frozen=True, gc=False):
    """One minute: its number on the monotonic clock, and the count and seconds of its checks.

    The quantiles are wrong by 4.4 % at most (histogram.py).
    """

    minute: int
    count: int
    p50: float
    p95: float
    most: float


class LastHour(Struct, frozen=True):
    """The minutes that are over, oldest first, and the current one.

    A minute without a check has no point, so the oldest may be more than an hour ago. `since`
    leaves out the older ones.
    """

    over: tuple[MinutePoint, ...] = ()
    minute: int = -1
    current: Histogram = Histogram()

    def points(self) -> tuple[MinutePoint, ...]:
        """Return the points of all minutes with a check, oldest first."""
        return (*self.over, _point(self.minute, self.current)) if self.current.count else self.over

    def since(self, minute: int) -> tuple[MinutePoint, ...]:
        """Return the points of that minute and later ones."""
        return tuple(point for point in self.points() if point.minute >= minute)


def added(hour: LastHour, at_seconds: MonotonicSeconds, seconds: Iterable[float]) -> LastHour:
    """Return the hour with durations added that were measured then (monotonic seconds)."""
    minute, found = int(at_seconds // MINUTE_SECONDS), histogram_of(seconds)
    if minute <= hour.minute:  # a round may arrive a little late
        return LastHour(hour.over, hour.minute, merged((hour.current, found)))
    return LastHour(hour.points()[-(KEPT_MINUTES - 1) :], minute, found)


def _point(minute: int, of: Histogram) -> MinutePoint:
    return MinutePoint(minute, of.count, of.quantile(0.5), of.quantile(0.95), of.most)
