"""Durations in units that are easy to read, the same in all output and on all command lines."""

from __future__ import annotations

import re

# Largest first. A duration is shown in at most two units.
UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
SHORT_SECONDS = 60.0
TWICE = 2  # below twice a unit, the number is in the next smaller one
# As people write them, the largest first.
UNITS_READ = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0}
_AMOUNT = r"(\d+(?:\.\d+)?)"
_READ = (  # re compiles it when it is used: few processes need it
    rf"(?a)(?:{_AMOUNT} *d)? *(?:{_AMOUNT} *h)? *(?:{_AMOUNT} *m(?:in)?(?!s))? *"
    rf"(?:{_AMOUNT} *s)? *(?:{_AMOUNT} *ms)?"
)
_IN_TEXT = r"\b\d+(?:\.\d+)? (?:ms|s|min|h|d)\b"


def duration(seconds: float) -> str:
    """Return a duration in its largest unit and the next, rounded down: `3 h 12 min`."""
    rest = int(seconds)
    parts: list[str] = []
    for unit, size in UNITS:
        amount, rest = divmod(rest, size)
        if amount or parts:
            parts.append(f"{amount} {unit}" if amount else "")
    return " ".join(filter(None, parts[:2])) or "0 s"


def brief(seconds: float) -> str:
    """Return a short duration with one unit and about two digits: `1.2 ms`, `5.0 s`."""
    for unit, size in (("µs", 1e-6), ("ms", 1e-3)):
        number = seconds / size
        if number < 999.5:  # noqa: PLR2004  1000 and more has the next unit
            return f"{number:.1f} {unit}" if number < 9.95 else f"{number:.0f} {unit}"  # noqa: PLR2004
    return f"{seconds:.1f} s"


def axis_duration(seconds: float) -> str:
    """Return a duration of one digit, for the axis of a plot: `20 ms`, `1 s`."""
    return brief(seconds).replace(".0 ", " ")


def rounded_duration(seconds: float) -> str:
    """Return less than a minute with about two digits (`brief`), and more in its largest units."""
    return brief(seconds) if seconds < SHORT_SECONDS else duration(seconds)


def one_unit(seconds: float) -> str:
    """Return a duration in one unit, for a column of a table: `75 s`, `2 min`, `36 h`."""
    number = max(0, int(seconds))
    for unit, size in UNITS:
        if number >= TWICE * size:
            return f"{number // size} {unit}"
    return f"{number} s"


def exact_duration(seconds: float) -> str:
    """Return a duration that a person chose, without digits that say nothing: `0.5 s`, `1 h`."""
    if seconds < SHORT_SECONDS or seconds % 1:
        return f"{seconds:g} s"
    return duration(seconds)


def seconds_in(text: str, *, needs_unit: bool = False) -> float:
    """Return the seconds of such as `2h30m`, `1 h 5 min` or `500ms`.

    A number alone is seconds, or refused if `needs_unit`. ValueError: it is no duration.
    """
    if re.fullmatch(_AMOUNT, text, re.ASCII):
        if needs_unit:
            raise ValueError(f"{text} has no unit; write {text}s, {text}m, {text}h or {text}d")
        return float(text)
    match = re.fullmatch(_READ, text.strip()) if text.strip() else None
    if match is None:
        raise ValueError(f"{text!r} is not a duration, such as 45s, 30m, 2h30m or 1d")
    amounts = zip(match.groups(), (*UNITS_READ.values(), 1e-3), strict=True)
    return sum(float(amount) * size for amount, size in amounts if amount)


def without_durations(text: str) -> str:
    """Return a sentence without its times: servers with the same trouble were probed at others."""
    return re.sub(_IN_TEXT, "", text)
