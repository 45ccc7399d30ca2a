"""Ranges in the syntax of the Nagios plugin guidelines, and thresholds that judge a number.

Checks use them; config/ parses them.
"""

from __future__ import annotations

from functools import cached_property
from math import inf
from typing import Annotated

from msgspec import Meta, Struct

from ldaphealth.model import Metric, State

# What is measured, as `extra` of the Meta of thresholds (config/impossible.py).
NOT_NEGATIVE: dict[str, object] = {"least": 0.0}
SHARE: dict[str, object] = {"least": 0.0, "most": 1.0}
SECONDS_OF_A_ROUND: dict[str, object] = {"least": 1e-9, "most": "deadline_seconds"}


class Range(Struct, frozen=True, dict=True):  # with a cached property
    """`[@]start:end`: a value outside alerts, with `@` a value inside (both ends are inside).

    https://nagios-plugins.org/doc/guidelines.html#THRESHOLDFORMAT
    """

    start: float = 0.0
    end: float = inf
    inside_alerts: bool = False

    def alerts(self, value: float) -> bool:
        """Return whether the value alerts."""
        return (self.start <= value <= self.end) is self.inside_alerts

    def __str__(self) -> str:
        return self._text

    @cached_property
    def _text(self) -> str:
        start = "~:" if self.start == -inf else "" if self.start == 0 else f"{_plain(self.start)}:"
        end = "" if self.end == inf else _plain(self.end)
        return ("@" if self.inside_alerts else "") + (start + end or "0:")


def _plain(value: float) -> str:
    """Format a number without exponent, which the range syntax does not have."""
    short = f"{value:g}"
    if "e" not in short and float(short) == value:
        return short
    from decimal import Decimal  # noqa: PLC0415  rare, and slow to load

    return f"{Decimal(repr(value)):f}"


def parse_range(text: str | float) -> Range:
    """Parse a range; ValueError quotes a text that is not one."""
    # Imported here: a run with only the built-in thresholds does not need to load the library.
    from nagiosplugin import Range as NagiosRange  # noqa: PLC0415

    # The library takes an empty text for a range that never alerts; "-" makes it an error.
    try:
        parsed = NagiosRange(str(text).strip() or "-")
        start, end = float(parsed.start), float(parsed.end)
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(
            f'{text!r} is not a range; write "2" (at most 2), "1:" (at least 1), "1:5" or "@1:5"'
        ) from error
    return Range(start, end, bool(parsed.invert))


class Thresholds(Struct, frozen=True):
    """When a number is a WARNING and when it is CRITICAL; None never alerts."""

    warning: Annotated[Range | None, Meta(description="when it is a WARNING")] = None
    critical: Annotated[Range | None, Meta(description="when it is CRITICAL")] = None

    def state(self, value: float) -> State:
        """Judge one value."""
        if self.critical is not None and self.critical.alerts(value):
            return State.CRITICAL
        if self.warning is not None and self.warning.alerts(value):
            return State.WARNING
        return State.OK

    def metric(self, name: str, value: float, label: str = "") -> Metric:
        """Return the value as a metric with these ranges."""
        warning = "" if self.warning is None else str(self.warning)
        critical = "" if self.critical is None else str(self.critical)
        return Metric(name, value, warning, critical, label)


def at_most(warning: float, critical: float) -> Thresholds:
    """Return thresholds for a number that should be small, such as a time."""
    return Thresholds(Range(end=warning), Range(end=critical))
