"""When a number that grows will reach its limit, by how it grew before. Pure.

What it did in each stretch of the past it may do from now on: it is expected to grow by the median
of all stretches of the same length, by the smallest at the least and by the largest at the most. So
a number that fell again each night or each week, whatever the reason, is not forecast to pass its
limit, and noise makes the interval wider. No shape of the growth is assumed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from ldaphealth.judging.quantile import median
from ldaphealth.text.duration import one_unit

STEP_SECONDS = 3600  # between two numbers
LEAST_STEPS = 7 * 24  # a week: much falls again once a day or once a week
MOST_PART = 2  # a stretch is at most half of what is known, so that several were seen
KNOWN_PART = 0.5  # of the stretches of a length, that need both of their ends


class Forecast(Struct, frozen=True, kw_only=True):
    """In how many seconds a limit is reached: likely, at the earliest, at the latest.

    None is later than can be said from what is known.
    """

    earliest_seconds: float
    likely_seconds: float
    latest_seconds: float | None = None

    def __str__(self) -> str:
        """Return it with its doubt, if there is any: `in about 3 d (2 d to 6 d)`."""
        earliest, likely = one_unit(self.earliest_seconds), one_unit(self.likely_seconds)
        latest = "later" if self.latest_seconds is None else one_unit(self.latest_seconds)
        doubt = "" if earliest == likely == latest else f" ({earliest} to {latest})"
        return f"in about {likely}{doubt}"


def forecast(numbers: Mapping[int, float], limit: float) -> Forecast | None:
    """Return when a number reaches its limit; None if that is not to be seen, or too little known.

    `numbers` are by their hour since 1970 (seconds divided by `STEP_SECONDS`), of which some may be
    missing. The newest is the one of now. It is seen half as far ahead as the past is known.
    """
    if not numbers or max(numbers) - min(numbers) < LEAST_STEPS:
        return None
    first, now = min(numbers), max(numbers)
    missing = limit - numbers[now]
    if missing <= 0:
        return Forecast(earliest_seconds=0.0, likely_seconds=0.0, latest_seconds=0.0)
    if max(numbers.values()) - min(numbers.values()) < missing:
        return None  # no stretch can have grown so much: most numbers are far from their limit
    known = [numbers.get(at) for at in range(first, now + 1)]
    reached: dict[str, float] = {}
    for steps in range(1, (now - first) // MOST_PART + 1):
        grown = _grown(known, steps)
        if len(grown) < KNOWN_PART * (now - first - steps):
            continue
        if max(grown) < missing:
            continue
        reached.setdefault("earliest", float(steps * STEP_SECONDS))
        if median(grown) >= missing:
            reached.setdefault("likely", float(steps * STEP_SECONDS))
        if min(grown) >= missing:
            reached["latest"] = float(steps * STEP_SECONDS)
            break
    if "likely" not in reached:
        return None
    return Forecast(
        earliest_seconds=reached["earliest"],
        likely_seconds=reached["likely"],
        latest_seconds=reached.get("latest"),
    )


def _grown(known: Sequence[float | None], steps: int) -> list[float]:
    """Return by how much the number grew in each stretch of so many steps."""
    return [
        after - before
        for before, after in zip(known, known[steps:], strict=False)
        if before is not None and after is not None
    ]
