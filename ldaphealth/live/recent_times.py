"""The durations of a check in each minute of the last hour, for the plots of the page. Pure.

live_server.py keeps one `GrowingHour` for each server and check. Readers get a `LastHour`, which is
immutable.
"""

from __future__ import annotations

from msgspec import Struct

from ldaphealth.clocks import MonotonicSeconds
from ldaphealth.histogram import GrowingHistogram, Histogram

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


class GrowingHour:
    """The last hour of a check, to which its durations are added."""

    __slots__ = ("_current", "_minute", "_over")

    def __init__(self) -> None:
        self._over: tuple[MinutePoint, ...] = ()
        self._minute = -1
        self._current = GrowingHistogram()

    def add(self, at_seconds: MonotonicSeconds, seconds: float) -> None:
        """Add a duration that was measured then (monotonic seconds)."""
        minute = int(at_seconds // MINUTE_SECONDS)
        if minute > self._minute:  # else it is of this minute, or a round that arrived a bit late
            self._over = self.so_far().points()[-(KEPT_MINUTES - 1) :]
            self._minute, self._current = minute, GrowingHistogram()
        self._current.add(seconds)

    def so_far(self) -> LastHour:
        """Return the hour as it is now."""
        return LastHour(self._over, self._minute, self._current.snapshot())


def _point(minute: int, of: Histogram) -> MinutePoint:
    return MinutePoint(minute, of.count, of.quantile(0.5), of.quantile(0.95), of.most)
