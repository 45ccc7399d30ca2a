"""The plot of how long an operation took: its median and a higher quantile by period.

A period without an operation is a gap. A value is a horizontal line as long as its period.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct

from ldaphealth.clocks import EpochSeconds
from ldaphealth.plots.axes import DurationAxis, TimeAxis
from ldaphealth.text.duration import brief
from ldaphealth.text.moment import moment
from ldaphealth.text.quantity import quantity

# Units of the SVG; labels of durations are left of LEFT, those of times below the bottom.
WIDTH, HEIGHT = 340, 150
LEFT, RIGHT, TOP, BOTTOM = 48, 8, 8, 128
CHARACTER_WIDTH = 7.3  # of a digit in a font of 11.5


class Quantiles(Struct, frozen=True, kw_only=True):
    """How long an operation took in a period, in seconds."""

    start: EpochSeconds
    length_seconds: float
    median_seconds: float
    high_seconds: float


class Label(Struct, frozen=True):
    """A label of an axis, and its distance from the left or the upper edge of the SVG."""

    position: float
    text: str

    @property
    def text_position(self) -> float:
        """Return the middle of the text of a label of a time, which ends before the right edge."""
        return round(min(self.position, WIDTH - len(self.text) * CHARACTER_WIDTH / 2), 1)


class TimesPlot(Struct, frozen=True, kw_only=True):
    """Paths in the syntax of SVG's `d`, labels of the axes, and the same in a sentence."""

    median_path: str
    high_path: str
    between_path: str  # the area between both
    durations: tuple[Label, ...]
    times: tuple[Label, ...]
    description: str


class _Step(Struct, frozen=True):
    """One period as a part of the lines."""

    left: float
    right: float
    median: float
    high: float


def times_plot(periods: Sequence[Quantiles], axis: TimeAxis, high_name: str) -> TimesPlot:
    """Return the plot of periods, oldest first; `high_name` is the higher quantile in words."""
    durations = DurationAxis.of(
        each for of in periods for each in (of.median_seconds, of.high_seconds)
    )
    runs = [*_runs(periods, axis, durations)]
    return TimesPlot(
        median_path="".join(_line(run, lambda step: step.median) for run in runs),
        high_path="".join(_line(run, lambda step: step.high) for run in runs),
        between_path="".join(map(_area, runs)),
        durations=tuple(Label(_y(each.share), each.label) for each in durations.ticks()),
        times=tuple(Label(_x(each.share), each.label) for each in axis.ticks()),
        description=_description(periods, len(runs), high_name),
    )


def _x(share: float) -> float:
    return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)


def _y(share: float) -> float:
    return round(BOTTOM - share * (BOTTOM - TOP), 1)


def _runs(
    periods: Sequence[Quantiles], axis: TimeAxis, durations: DurationAxis
) -> Iterator[list[_Step]]:
    """Yield the periods that follow each other without a gap."""
    run: list[_Step] = []
    end = axis.since
    for each in periods:
        begin, before = max(each.start, end), end
        end = max(end, min(each.start + each.length_seconds, axis.until))
        if begin >= end:
            continue  # outside of the axis, or inside of a longer period
        if begin > before and run:
            yield run
            run = []
        run.append(
            _Step(
                _x(axis.share(begin)),
                _x(axis.share(end)),
                _y(durations.share(each.median_seconds)),
                _y(durations.share(each.high_seconds)),
            )
        )
    if run:
        yield run


def _line(run: Sequence[_Step], height: Callable[[_Step], float]) -> str:
    first, *others = run
    parts = [f"M{first.left:g} {height(first):g}H{first.right:g}"]
    parts += [f"V{height(each):g}H{each.right:g}" for each in others]
    return "".join(parts)


def _area(run: Sequence[_Step]) -> str:
    back = [f"V{each.median:g}H{each.left:g}" for each in reversed(run)]
    return f"{_line(run, lambda step: step.high)}{''.join(back)}Z"


def _description(periods: Sequence[Quantiles], runs: int, high_name: str) -> str:
    if not periods:
        return "No times in this period."
    medians = [each.median_seconds for each in periods]
    highest = max(periods, key=lambda each: each.high_seconds)
    gaps = f", with {quantity(runs - 1, 'gap')}" if runs > 1 else ""
    return (
        f"{quantity(len(periods), 'value')}{gaps}. "
        f"Median: {brief(min(medians))} to {brief(max(medians))}. "
        f"{high_name}: {brief(min(each.high_seconds for each in periods))} to "
        f"{brief(highest.high_seconds)}, the longest from {moment(highest.start)} on."
    )
