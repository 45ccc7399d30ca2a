"""The facts of a check in words and units, one line each: for `ldaphealth explain`.

The document of the facts is enough, so the facts of a check of another package are shown as well.
The unit of a number is the end of its name, as everywhere in ldaphealth. Nothing is cut.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ldaphealth.clocks import EpochSeconds
from ldaphealth.text.duration import rounded_duration
from ldaphealth.text.moment import moment
from ldaphealth.text.printable import printable

MAX_CHARACTERS = 16_384  # of one text; more than a session receives of one value
INDENT = "  "
CSN_FORM = re.compile(
    r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:\.(\d{6}))?Z#([0-9a-f]{6})#([0-9a-f]{2,3})#[0-9a-f]{6}",
    re.ASCII | re.IGNORECASE,
)
TIME_FORM = re.compile(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z", re.ASCII)  # RFC 4517 3.3.13
BYTE_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
NOTHING = "not known"
WORDS = {"ours": "of this agent"}  # values of facts that are no words for people
EMPTY = "none"


def _seconds(value: float) -> str:
    sign, size = ("-" if value < 0 else ""), abs(value)
    if size == 0:
        return "0 s"
    return sign + rounded_duration(size)


def _epoch(value: float) -> str:
    try:
        return moment(EpochSeconds(value))
    except (ValueError, OverflowError, OSError):
        return _number(value)


def _bytes(value: float) -> str:
    rest, unit = float(value), 0
    while abs(rest) >= 1024 and unit < len(BYTE_UNITS) - 1:  # noqa: PLR2004
        rest, unit = rest / 1024, unit + 1
    return f"{_number(rest)} {BYTE_UNITS[unit]}"


def _percent(value: float) -> str:
    return f"{_number(value * 100)}%"


def _number(value: float) -> str:
    """Return a whole number with all its digits, another one with three at most."""
    if isinstance(value, int) or (value.is_integer() and abs(value) < 1e15):  # noqa: PLR2004
        return str(int(value))
    return f"{value:.3g}" if abs(value) < 1000 else str(round(value))  # noqa: PLR2004


# The end of a name, and the number in words. The first one that fits counts.
UNITS: tuple[tuple[str, Callable[[float], str]], ...] = (
    ("_epoch_seconds", _epoch),
    ("_seconds", _seconds),
    ("_bytes", _bytes),
    ("_ratio", _percent),
    ("_days", lambda value: f"{_number(value)} d"),
    ("_hours", lambda value: f"{_number(value)} h"),
    ("_per_second", lambda value: f"{_number(value)} per second"),
)
BARE_UNITS = {name.removeprefix("_"): words for name, words in UNITS} | {"part": _percent}


def fact_lines(facts: Mapping[str, Any]) -> list[str]:
    """Return the facts as lines; what belongs to a line is below it, indented."""
    return [line for name, value in facts.items() for line in _lines(name, value, name)]


def _lines(label: str, value: Any, unit_of: str) -> Iterator[str]:
    """Yield `label: value`; `unit_of` is the name whose end is the unit of a number."""
    named = _named(label)
    if isinstance(value, Mapping) and value and _are_numbers(value):
        counts = (f"{_named(key)} {_words(each, key, unit_of)}" for key, each in value.items())
        yield f"{named}: {', '.join(counts)}"
    elif isinstance(value, Mapping) and value:
        yield f"{named}:"
        for key, each in value.items():
            inner = key if _unit(key) else unit_of
            yield from (INDENT + line for line in _lines(_shown(key), each, inner))
    elif _is_list(value) and value and not all(isinstance(each, str) for each in value):
        yield f"{named}:"
        for each in value:
            yield from (INDENT + line for line in _item_lines(each, unit_of))
    elif _is_list(value) and any(CSN_FORM.fullmatch(each) for each in value):
        for each in value:
            yield f"{named} {_text(each)}"
    elif isinstance(value, str) and CSN_FORM.fullmatch(value):
        yield f"{named} {_text(value)}"
    else:
        yield f"{named}: {_words(value, unit_of)}"


def _item_lines(value: Any, unit_of: str) -> Iterator[str]:
    """Yield one element of a list: the first line of several fields has a dash."""
    if isinstance(value, Mapping) and value:
        lines = fact_lines(value)
        yield f"- {lines[0]}"
        yield from (INDENT + line for line in lines[1:])
    elif _is_list(value):
        yield f"- {', '.join(_words(each, unit_of) for each in value) or EMPTY}"
    else:
        yield f"- {_words(value, unit_of)}"


def _are_numbers(value: Mapping[str, Any]) -> bool:
    """Return whether it counts things with short names, which fit on one line."""
    numbers = all(
        isinstance(each, int | float) and not isinstance(each, bool) for each in value.values()
    )
    return numbers and all(re.fullmatch(r"[A-Za-z0-9_]{1,24}", str(key)) for key in value)


def _words(value: Any, *names: str) -> str:
    """Return one value; the first of the names with a unit at its end has that of a number."""
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return next((words for name in names if (words := _unit(name))), _number)(value)
    if isinstance(value, str):
        return WORDS.get(value) or _text(value) or EMPTY
    return ", ".join(_words(each, *names) for each in value) or EMPTY


def _text(value: str) -> str:
    """Return a text that is safe to print: a CSN by its parts, a time of LDAP as RFC 3339."""
    csn = CSN_FORM.fullmatch(value)
    if csn is not None:
        year, month, day, hour, minute, second, fraction, count, sid = csn.groups()
        when = f"{year}-{month}-{day}T{hour}:{minute}:{second}"
        point = f".{fraction}" if fraction and int(fraction) else ""
        return f"{sid}: {when}{point}Z change {int(count, 16)}"
    time = TIME_FORM.fullmatch(value)
    if time is not None:
        year, month, day, hour, minute, second = time.groups()
        return f"{year}-{month}-{day}T{hour}:{minute}:{second}Z"
    return printable(value, MAX_CHARACTERS)


def _named(label: str) -> str:
    """Return a name without its unit, in words."""
    end = next((end for end, _ in UNITS if label.endswith(end)), "")
    words = label.removesuffix(end) if end else label
    return words.replace("_", " ") if re.fullmatch(r"[a-z0-9_]+", words) else words


def _shown(key: Any) -> str:
    return printable(str(key), MAX_CHARACTERS)


def _unit(name: str) -> Callable[[float], str] | None:
    """Return how to show a number with this name; None if its name ends with no unit."""
    words = next((words for end, words in UNITS if name.endswith(end)), None)
    return words or BARE_UNITS.get(name)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)
