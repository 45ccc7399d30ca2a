"""Plain data into Structs, with every mistake and its place, not only the first.

msgspec checks each value and stops at the first mistake of what it is given; so mappings and
lists are walked here, and it is given one value at a time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import Enum
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from msgspec import UNSET, Struct, ValidationError, convert
from msgspec.structs import fields

from ldaphealth.config.mistakes import near
from ldaphealth.judging.thresholds import Range, parse_range
from ldaphealth.text.printable import printable

LONGEST_LINE = 400
WORDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "bool": "true or false",
    "object": "a mapping",
    "array": "a list",
    "null": "empty",
}


class Problems:
    """The mistakes found so far."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, path: str, what: str) -> None:
        """Note a mistake at a place, such as `clusters.example.suffix`."""
        self.lines.append(printable(f"{path or 'the file'}: {what}", LONGEST_LINE))


def fill(kind: Any, value: object, path: str, problems: Problems) -> Any:
    """Return the value as that kind, or UNSET after a mistake that leaves nothing of it."""
    plain, struct = _plain(kind), _struct_in(kind)
    if Range in (plain, *get_args(plain)):
        return _range(value, path, problems)
    if struct and (plain is struct or isinstance(value, dict)):
        return fill_struct(struct, value, path, problems)
    if get_origin(plain) is dict and isinstance(value, dict):
        return _mapping(kind, value, path, problems)
    if get_origin(plain) is tuple and isinstance(value, list):
        of = get_args(plain)[0]
        return tuple(fill(of, each, f"{path}.{n}", problems) for n, each in enumerate(value, 1))
    return _leaf(kind, value, path, problems)


def fill_struct(
    kind: type[Struct], value: object, path: str, problems: Problems, beside: Iterable[str] = ()
) -> Any:
    """Return a Struct made of a mapping; keys in `beside` are somebody else's.

    After a mistake it holds what was right, so that what follows can find the other mistakes.
    """
    if not isinstance(value, dict):
        problems.add(path, f"must be a mapping of keys to values{_not(value)}")
        return UNSET
    known = {each.name: each for each in fields(kind)}
    for key in value:
        if key not in known and key not in beside:
            problems.add(_join(path, key), f"unknown key{_meant(str(key), [*beside, *known])}")
    values = {
        name: fill(each.type, value[name], _join(path, name), problems)
        for name, each in known.items()
        if name in value
    }
    for name, each in known.items():
        if each.required and name not in value:
            problems.add(_join(path, name), "is missing")
    right = {name: each for name, each in values.items() if each is not UNSET}
    if any(each.required and name not in right for name, each in known.items()):
        return UNSET
    try:
        return kind(**right)
    except ValueError as error:  # its own objection, of __post_init__
        problems.add(path, str(error))
        return UNSET


def _mapping(kind: Any, value: dict[Any, object], path: str, problems: Problems) -> dict[str, Any]:
    key_kind, of = get_args(_plain(kind))
    least = next((m.min_length for m in _meta(kind) if m.min_length), 0)
    if len(value) < least:
        problems.add(path, "is empty")
    filled = {
        _leaf(key_kind, key, _join(path, key), problems): fill(of, each, _join(path, key), problems)
        for key, each in value.items()
    }
    return {key: each for key, each in filled.items() if UNSET not in (key, each)}


def _leaf(kind: Any, value: object, path: str, problems: Problems) -> Any:
    try:
        return convert(value, kind)
    except ValidationError as error:
        problems.add(path, f"must be {_wanted(kind, error)}{_not(value)}")
        return UNSET


def _wanted(kind: Any, error: ValidationError) -> str:
    choices = _choices(_plain(kind))
    if choices:
        return f"one of {', '.join(choices)}"
    if "matching regex" in str(error):
        return next((str(m.description) for m in _meta(kind) if m.description), str(error))
    text = str(error).removeprefix("Expected ").partition(", got")[0].partition(" - at")[0]
    text = text.replace("`", "").replace(" | ", " or ")
    return re.sub(r"^\w+|(?<=or )\w+", lambda match: WORDS.get(match[0], match[0]), text)


def _choices(kind: Any) -> list[str]:
    if get_origin(kind) is Literal:
        return [str(each) for each in get_args(kind)]
    return (
        [each.value for each in kind] if isinstance(kind, type) and issubclass(kind, Enum) else []
    )


def _not(value: object) -> str:
    if isinstance(value, dict):
        return ", not a mapping"
    if isinstance(value, list):
        return ", not a list"
    shown = repr(value) if isinstance(value, str) else str(value)
    return f", not {printable(shown, 80)}" if value is not None else ", not empty"


def _meant(word: str, known: Iterable[str]) -> str:
    if word == "password":
        return "; a password is never written here: use password_file or password_env"
    return near(word, known)


def _range(value: object, path: str, problems: Problems) -> Any:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        problems.add(path, f'must be a range: a number, or a text such as "1:"{_not(value)}')
        return UNSET
    try:
        return parse_range(value)
    except ValueError as error:
        problems.add(path, str(error))
        return UNSET


def _plain(kind: Any) -> Any:
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def _meta(kind: Any) -> list[Any]:
    return [*get_args(kind)[1:]] if get_origin(kind) is Annotated else []


def _struct_in(kind: Any) -> type[Struct] | None:
    """Return the Struct that the kind is or may be, as in `str | Server`."""
    plain = _plain(kind)
    parts = get_args(plain) if get_origin(plain) in (Union, UnionType) else (plain,)
    found = [p for p in parts if isinstance(p, type) and issubclass(p, Struct)]
    return found[0] if found else None


def _join(path: str, key: object) -> str:
    return f"{path}.{key}" if path else str(key)
