"""The plot of a number by period: a line in the middle, such as the median, and one at the edge.

A period without a number is a gap. A value is a horizontal line as long as its period.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from msgspec import Struct

from ldaphealth.clocks import EpochSeconds
from ldaphealth.plots.axes import Tick, TimeAxis

# Units of the SVG; labels of values are left of LEFT, those of times below the bottom.
WIDTH, HEIGHT = 340, 150
LEFT, RIGHT, TOP, BOTTOM = 48, 8, 8, 128
CHARACTER_WIDTH = 7.3  # of a digit in a font of 11.5


class ValueAxis(Protocol):
    """The vertical axis."""

    def share(self, value: float, /) -> float:
        """Return the place of a value: 0 at the bottom, 1 at the top."""

    def ticks(self) -> Sequence[Tick]:
        """Return its labels."""


class Values(Struct, frozen=True, kw_only=True):
    """What is drawn of a period."""

    start: EpochSeconds
    length_seconds: float
    middle: float
    edge: float


class Label(Struct, frozen=True):
    """A label of an axis, and its distance from the left or the upper edge of the SVG."""

    position: float
    text: str

    @property
    def text_position(self) -> float:
        """Return the middle of the text of a label of a time, which ends before the right edge."""
        return round(min(self.position, WIDTH - len(self.text) * CHARACTER_WIDTH / 2), 1)


class PeriodPlot(Struct, frozen=True, kw_only=True):
    """Paths in the syntax of SVG's `d`, labels of the axes, and the number of gaps."""

    middle_path: str
    edge_path: str
    between_path: str  # the area between both
    values: tuple[Label, ...]
    times: tuple[Label, ...]
    gaps: int


class _Step(Struct, frozen=True):
    """One period as a part of the lines."""

    left: float
    right: float
    middle: float
    edge: float


def period_plot(periods: Sequence[Values], time: TimeAxis, values: ValueAxis) -> PeriodPlot:
    """Return the plot of periods, oldest first."""
    runs = [*_runs(periods, time, values)]
    return PeriodPlot(
        middle_path="".join(_line(run, lambda step: step.middle) for run in runs),
        edge_path="".join(_line(run, lambda step: step.edge) for run in runs),
        between_path="".join(map(_area, runs)),
        values=tuple(Label(_y(each.share), each.label) for each in values.ticks()),
        times=tuple(Label(_x(each.share), each.label) for each in time.ticks()),
        gaps=max(0, len(runs) - 1),
    )


def _x(share: float) -> float:
    return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)


def _y(share: float) -> float:
    return round(BOTTOM - share * (BOTTOM - TOP), 1)


def _runs(periods: Sequence[Values], time: TimeAxis, values: ValueAxis) -> Iterator[list[_Step]]:
    """Yield the periods that follow each other without a gap."""
    run: list[_Step] = []
    end = time.since
    for each in periods:
        begin, before = max(each.start, end), end
        end = max(end, min(each.start + each.length_seconds, time.until))
        if begin >= end:
            continue  # outside of the axis, or inside of a longer period
        if begin > before and run:
            yield run
            run = []
        run.append(
            _Step(
                _x(time.share(begin)),
                _x(time.share(end)),
                _y(values.share(each.middle)),
                _y(values.share(each.edge)),
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
    back = [f"V{each.middle:g}H{each.left:g}" for each in reversed(run)]
    return f"{_line(run, lambda step: step.edge)}{''.join(back)}Z"
