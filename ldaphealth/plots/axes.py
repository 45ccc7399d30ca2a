"""The axes of plots: the place of a moment or a duration, and where the labels are.

A place is a share: 0 at the beginning of the axis, 1 at its end.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from math import ceil, isfinite, log10

from msgspec import Struct

from ldaphealth.clocks import EpochSeconds
from ldaphealth.text.duration import axis_duration

MOST_TICKS = 4  # so that labels do not overlap in a plot that is 300 pixels wide
MOST_DURATIONS = 7  # likewise, in one that is 120 pixels high
HOUR, DAY = 3600, 86_400
# The distances of labels in seconds, with the form of the label (strftime(3)).
STEPS = (
    *(
        (seconds, "%H:%M")
        for seconds in (60, 300, 600, 900, 1800, HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR)
    ),
    *((days * DAY, "%-d %b") for days in (1, 2, 5, 10)),
)
MONTHS = (1, 3, 6, 12, 36, 120)  # and where those are too short
YEAR_MONTHS = 12

# Where an axis of durations may begin and end, and have labels: a microsecond to 1000 seconds.
BOUNDS = (
    *(number * 10.0**exponent for exponent in range(-6, 3) for number in (1, 2, 5)),
    1000.0,
)
LEAST_RATIO = 10.0  # of the end of an axis to its beginning, so that noise looks like noise


class Tick(Struct, frozen=True):
    """A label and its place."""

    share: float
    label: str


class TimeAxis(Struct, frozen=True):
    """A period, which is not empty; labels are in UTC."""

    since: EpochSeconds
    until: EpochSeconds

    def share(self, at: EpochSeconds) -> float:
        """Return the place of a moment; one outside is at the nearer end."""
        return min(1.0, max(0.0, (at - self.since) / (self.until - self.since)))

    def ticks(self) -> tuple[Tick, ...]:
        """Return labels at whole minutes, hours, days or months; a January has its year."""
        return tuple(Tick(self.share(at), label) for at, label in self._labels())

    def _labels(self) -> Iterator[tuple[EpochSeconds, str]]:
        for step, form in STEPS:
            if (self.until - self.since) / step <= MOST_TICKS:
                for number in range(ceil(self.since / step), int(self.until // step) + 1):
                    at = float(number * step)
                    yield at, datetime.fromtimestamp(at, UTC).strftime(form)
                return
        first, last = (_month(at) for at in (self.since, self.until))
        step = next((each for each in MONTHS if last - first <= each * MOST_TICKS), MONTHS[-1])
        for number in range(ceil(first / step) * step, last + 1, step):
            start = datetime(number // YEAR_MONTHS, number % YEAR_MONTHS + 1, 1, tzinfo=UTC)
            if start.timestamp() >= self.since:
                yield start.timestamp(), start.strftime("%Y" if start.month == 1 else "%b")


class DurationAxis(Struct, frozen=True):
    """A logarithmic axis of seconds between two of BOUNDS."""

    least: float
    most: float

    @classmethod
    def of(cls, seconds: Iterable[float]) -> DurationAxis:
        """Return the shortest axis that has all of them, or the nearest of its bounds."""
        found = [_bounded(each) for each in seconds] or [BOUNDS[0]]
        low = max(0, bisect_right(BOUNDS, min(found) * (1 + 1e-9)) - 1)
        high = min(len(BOUNDS) - 1, bisect_left(BOUNDS, max(found) * (1 - 1e-9)))
        while BOUNDS[high] / BOUNDS[low] < LEAST_RATIO * (1 - 1e-9):
            high = min(high + 1, len(BOUNDS) - 1)
            if BOUNDS[high] / BOUNDS[low] < LEAST_RATIO * (1 - 1e-9):
                low = max(low - 1, 0)
        return cls(BOUNDS[low], BOUNDS[high])

    def share(self, seconds: float) -> float:
        """Return the place of a duration; what is no number or outside is at the nearer end."""
        whole = log10(self.most / self.least)
        return min(1.0, max(0.0, log10(_bounded(seconds) / self.least) / whole))

    def ticks(self) -> tuple[Tick, ...]:
        """Return labels such as `20 ms`."""
        inside = [each for each in BOUNDS if self.least <= each <= self.most]
        if len(inside) > MOST_DURATIONS:  # powers of ten, or each second or third of them
            powers = [each for each in inside if round(log10(each), 6).is_integer()]
            inside = powers[:: ceil(len(powers) / MOST_DURATIONS)]
        return tuple(Tick(self.share(each), axis_duration(each)) for each in inside)


def _bounded(seconds: float) -> float:
    if not isfinite(seconds):
        return BOUNDS[-1]
    return min(max(seconds, BOUNDS[0]), BOUNDS[-1])


def _month(at: EpochSeconds) -> int:
    """Return the months since the year 0."""
    day = datetime.fromtimestamp(at, UTC)
    return day.year * YEAR_MONTHS + day.month - 1
