"""A linear axis of numbers or of times, between round numbers."""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil, floor, isfinite

from msgspec import Struct

from ldaphealth.plots.axes import Tick
from ldaphealth.text.duration import duration

MOST_STEPS = 5
LEAST_PART = 0.01  # of a number between two labels, so that three digits tell them apart
MOST = 1e12  # of what is drawn
SECONDS = "seconds"
ROUND = tuple(number * 10.0**exponent for exponent in range(-2, 16) for number in (1, 2, 5))
ROUND_SECONDS = (
    *(0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0),
    *(60.0 * minutes for minutes in (1, 2, 5, 10, 20, 30)),
    *(3600.0 * hours for hours in (1, 2, 4, 6, 12)),
    *(86400.0 * days for days in ROUND if days >= 1),
)
THOUSANDS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


class NumberAxis(Struct, frozen=True, kw_only=True):
    """An axis from `least` to `most` with a label at each `step`. `unit` may be SECONDS."""

    least: float
    most: float
    step: float
    unit: str

    @classmethod
    def of(cls, numbers: Iterable[float], unit: str) -> NumberAxis:
        """Return an axis that has all numbers. It begins at 0 unless they differ by little."""
        found = [_bounded(each) for each in numbers] or [0.0]
        high = max(found)
        low = min(found) if min(found) > high / 2 else 0.0
        steps = ROUND_SECONDS if unit == SECONDS else ROUND
        least_step = max((high - low) / (MOST_STEPS - 1), high * LEAST_PART)
        if unit != SECONDS:
            least_step = max(least_step, 1.0)
        step = next((each for each in steps if each >= least_step), steps[-1])
        least = floor(low / step) * step
        most = max(ceil(high / step) * step, least + step)
        return cls(least=least, most=most, step=step, unit=unit)

    def share(self, number: float, /) -> float:
        """Return the place of a number; what is none or outside is at the nearer end."""
        share = (_bounded(number) - self.least) / (self.most - self.least)
        return min(1.0, max(0.0, share))

    def ticks(self) -> tuple[Tick, ...]:
        """Return a label for each step."""
        count = round((self.most - self.least) / self.step)
        return tuple(
            Tick(number / count, self._label(self.least + number * self.step))
            for number in range(count + 1)
        )

    def _label(self, number: float) -> str:
        if self.unit != SECONDS:
            return short_number(number)
        return f"{number:g} s" if number % 1 else duration(number)


def short_number(number: float) -> str:
    """Return a number with at most four digits, and a letter for thousands: `1.25 M`."""
    size, letter = next((each for each in THOUSANDS if abs(number) >= each[0]), (1.0, ""))
    return f"{number / size:.4g} {letter}".rstrip()


def _bounded(number: float) -> float:
    if not isfinite(number):
        return MOST
    return min(max(number, 0.0), MOST)
