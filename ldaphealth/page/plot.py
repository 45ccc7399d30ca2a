"""The plots of the last hour of one check, as coordinates for the SVG in the page's template.

All plots of one server share a logarithmic scale, so that they can be compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import ceil, floor, log10

from msgspec import Struct

from ldaphealth.live.recent_times import KEPT_MINUTES, LastHour, MinutePoint
from ldaphealth.text.duration import axis_duration, brief

LEFT, STEP, HEIGHT, MARGIN = 36, 4, 68, 4  # units of the SVG; the labels are left of LEFT
WIDTH = LEFT + STEP * KEPT_MINUTES
LEAST_SECONDS, MOST_SECONDS = 1e-6, 1e3  # what is outside is drawn at the edge


class GridLine(Struct, frozen=True):
    """A line of the grid: its position and the time that it stands for."""

    y: int
    label: str


class Plot(Struct, frozen=True, kw_only=True):
    """One plot: paths in the syntax of SVG's `d`, and the same as text."""

    check: str
    p50: str
    p95: str
    most: str
    middle_path: str  # the p50 of each minute
    spread_path: str  # from its p50 to its p95
    most_path: str  # a dot for its longest
    lines: tuple[GridLine, ...]
    description: str
    age: str  # of its newest minute, if other plots have a newer one


def plots(hours: Mapping[str, LastHour], newest_minute: int) -> tuple[Plot, ...]:
    """Return a plot for each check with a probe in the hour that ends with that minute."""
    first = newest_minute - KEPT_MINUTES + 1
    found = {check: hour.since(first) for check, hour in hours.items()}
    found = {check: points for check, points in found.items() if points}
    scale = _Scale.of(point for points in found.values() for point in points)
    return tuple(_plot(check, points, newest_minute, scale) for check, points in found.items())


def newest(hours: Iterable[LastHour]) -> int:
    """Return the newest minute of all; 0 if there is none."""
    return max((hour.minute for hour in hours), default=0)


class _Scale(Struct, frozen=True):
    """Exponents of ten at the lower and the upper edge."""

    low: int
    high: int

    @classmethod
    def of(cls, points: Iterable[MinutePoint]) -> _Scale:
        found = [*points]
        low = floor(min((_exponent(each.p50) for each in found), default=-3))
        high = ceil(max((_exponent(each.most) for each in found), default=0))
        return cls(low, max(high, low + 1))

    def y(self, seconds: float) -> int:
        share = (_exponent(seconds) - self.low) / (self.high - self.low)
        return round(HEIGHT - MARGIN - share * (HEIGHT - 2 * MARGIN))

    def lines(self) -> tuple[GridLine, ...]:
        step = ceil((self.high - self.low) / 3)  # so that labels do not overlap
        exponents = range(self.low, self.high + 1, step)
        return tuple(GridLine(self.y(10.0**each), axis_duration(10.0**each)) for each in exponents)


def _exponent(seconds: float) -> float:
    return log10(max(LEAST_SECONDS, min(MOST_SECONDS, seconds)))


def _plot(check: str, points: Sequence[MinutePoint], newest_minute: int, scale: _Scale) -> Plot:
    first = newest_minute - KEPT_MINUTES + 1
    middle, bars, dots, before = [], [], [], None
    for point in points:
        x, y = LEFT + STEP * (point.minute - first) + STEP // 2, scale.y(point.p50)
        middle.append(f"{'L' if before == point.minute - 1 else 'M'}{x} {y}")
        bars.append(f"M{x} {y}V{scale.y(point.p95)}")
        dots.append(f"M{x} {scale.y(point.most)}h0")
        before = point.minute
    last, longest = points[-1], max(points, key=lambda point: point.most)
    p50, p95, most = brief(last.p50), brief(last.p95), brief(longest.most)
    last_age, longest_age = newest_minute - last.minute, newest_minute - longest.minute
    age = f"{last_age} min ago" if last_age else ""
    description = (
        f"{age or 'Newest minute'}: half within {p50}, 95 % within {p95}. "
        f"Longest of the hour: {most}, {f'{longest_age} min ago' if longest_age else 'just now'}."
    )
    return Plot(
        check=check,
        p50=p50,
        p95=p95,
        most=most,
        middle_path="".join(middle),
        spread_path="".join(bars),
        most_path="".join(dots),
        lines=scale.lines(),
        description=description,
        age=age,
    )
