"""Convert plain data to typed values, and find every mistake with its place.

It accepts what msgspec accepts. msgspec stops at the first mistake, so mappings and lists are
traversed here, and msgspec converts one value at a time.
"""

from __future__ import annotations

import re
from collections import abc
from collections.abc import Iterable, Iterator
from enum import Enum
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, Protocol, Union, get_args, get_origin, runtime_checkable

from msgspec import UNSET, Meta, Struct, ValidationError, convert
from msgspec.structs import FieldInfo, fields

from ldaphealth.config.mistakes import Problems, join
from ldaphealth.config.text_form import TEXT_FORMS, TextForm
from ldaphealth.config.yaml_file import LeadingZero
from ldaphealth.model import SettingMistakes
from ldaphealth.text.printable import printable
from ldaphealth.text.quantity import quantity
from ldaphealth.text.suggestion import did_you_mean, suggestion

TYPE_TEXTS = {
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "bool": "true or false",
    "object": "a mapping",
    "array": "a list",
    "null": "empty",
}
MAPPINGS = frozenset({dict, abc.Mapping, abc.MutableMapping})
LISTS: dict[Any, type] = {
    list: list,
    abc.Collection: list,
    abc.Sequence: list,
    abc.MutableSequence: list,
    tuple: tuple,
    set: set,
    abc.Set: set,
    abc.MutableSet: set,
    frozenset: frozenset,
}


@runtime_checkable
class SelfChecking(Protocol):
    """A Struct that finds mistakes in the combination of its values."""

    def find_mistakes(self) -> SettingMistakes:
        """Yield each wrong key with what is wrong, "" for the mapping as a whole."""


def fill(kind: Any, value: object, path: str, problems: Problems) -> Any:
    """Return the value as that type, or UNSET if a mistake leaves no valid value.

    Wrong parts are left out of a value that is returned after a mistake.
    """
    member = _member_for(kind, value)
    plain = _plain(member)
    form = _text_form(plain)
    if isinstance(value, LeadingZero) and not (form and LeadingZero in form.written_as):
        problems.add(path, value.mistake)
        return UNSET
    if form:
        return _from_text(form, value, path, problems)
    if _is_plain_struct(plain):
        return fill_struct(plain, value, path, problems)
    if isinstance(value, dict) and get_origin(plain) in MAPPINGS:
        return _mapping(member, value, path, problems)
    if isinstance(value, list) and get_origin(plain) in LISTS:
        return _list(member, value, path, problems)
    return _converted(kind, value, path, problems)


def fill_struct(
    kind: type[Struct], value: object, path: str, problems: Problems, beside: Iterable[str] = ()
) -> Any:
    """Return a Struct built from a mapping. Keys in `beside` are ignored and are no mistake.

    After a mistake the Struct has the valid values only, so that later steps can find more
    mistakes; the combination of its values is not checked then, because a default stands in the
    place of the wrong one. The result is UNSET if a required key is missing or wrong.
    """
    if not isinstance(value, dict):
        problems.add(path, f"must be a mapping of keys to values{_actual(value)}")
        return UNSET
    known = _fields(kind)
    unknown = [key for key in value if key not in known and key not in beside]
    for key in unknown:
        what = f"unknown key{_key_hint(str(key), [*beside, *known])}"
        problems.add(join(path, key), getattr(kind, "refused_keys", {}).get(key, what))
    right: dict[str, Any] = {}
    for key, each in known.items():
        if key in value:
            filled = fill(each.type, value[key], join(path, key), problems)
            right |= {} if filled is UNSET else {each.name: filled}
        elif each.required:
            problems.add(join(path, key), "is missing")
    if any(each.required and each.name not in right for each in known.values()):
        return UNSET
    is_whole = not unknown and len(right) == sum(key in known for key in value)
    return build_struct(kind, right, path, problems if is_whole else Problems())


def fill_some(
    kind: type[Struct], value: dict[Any, object], path: str, problems: Problems
) -> dict[str, Any]:
    """Return the valid values of a mapping with some keys of a Struct, by the names of fields."""
    filled = {
        each.name: fill(each.type, value[key], join(path, key), problems)
        for key, each in _fields(kind).items()
        if key in value
    }
    return {name: each for name, each in filled.items() if each is not UNSET}


def build_struct(kind: type[Struct], values: dict[str, Any], path: str, problems: Problems) -> Any:
    """Return the Struct with these values, by the names of its fields, or UNSET after a mistake."""
    try:
        built = kind(**values)
    except (TypeError, ValueError) as error:  # raised by __post_init__
        problems.add(path, str(error))
        return UNSET
    if isinstance(built, SelfChecking):
        problems.add_each(path, built.find_mistakes())
    return built


def _mapping(kind: Any, value: dict[Any, object], path: str, problems: Problems) -> Any:
    key_kind, of = get_args(_plain(kind))
    _check_length(kind, len(value), path, problems)
    filled: dict[Any, Any] = {}
    for key, each in value.items():
        place = join(path, key)
        converted_key, built = (
            fill(key_kind, key, place, problems),
            fill(of, each, place, problems),
        )
        if converted_key is not UNSET and built is not UNSET:
            filled[converted_key] = built
    return UNSET if _wrong_length(kind, len(filled)) else filled


def _list(kind: Any, value: list[object], path: str, problems: Problems) -> Any:
    make, kinds = LISTS[get_origin(_plain(kind))], get_args(_plain(kind))
    is_fixed = make is tuple and kinds[1:] != (...,)
    if is_fixed and len(kinds) != len(value):
        problems.add(path, f"must be a list of {len(kinds)}, not of {len(value)}")
    _check_length(kind, len(value), path, problems)
    filled = [
        fill(of, each, f"{path}.{number}", problems)
        for number, (of, each) in enumerate(
            zip(kinds if is_fixed else kinds[:1] * len(value), value, strict=False), 1
        )
    ]
    right = [each for each in filled if each is not UNSET]
    is_wrong = len(right) != len(kinds) if is_fixed else _wrong_length(kind, len(right))
    return UNSET if is_wrong else make(right)


def _check_length(kind: Any, length: int, path: str, problems: Problems) -> None:
    if wrong := _wrong_length(kind, length):
        problems.add(path, wrong)


def _wrong_length(kind: Any, length: int) -> str:
    """Return how this length violates the bounds of a mapping or list, or ""."""
    for bounds in _bounds(kind):
        least, most = bounds.min_length or 0, bounds.max_length
        if least == 1 and not length:
            return "is empty"
        if length < least:
            return f"must have at least {quantity(least, 'value')}, not {length}"
        if most is not None and length > most:
            return f"must have at most {quantity(most, 'value')}, not {length}"
    return ""


def _from_text(form: TextForm, value: object, path: str, problems: Problems) -> Any:
    if isinstance(value, bool) or not isinstance(value, form.written_as):
        problems.add(path, f"must be {form.expected}{_actual(value)}")
        return UNSET
    try:
        return form.parse(value)
    except ValueError as error:
        problems.add(path, str(error))
        return UNSET


def _converted(kind: Any, value: object, path: str, problems: Problems) -> Any:
    try:
        return convert(value, kind)
    except ValidationError as error:
        likely = did_you_mean(value, _choices(kind)) if isinstance(value, str) else ""
        problems.add(path, f"{_expected(kind, str(error))}{_actual(value)}{likely}")
        return UNSET


def _expected(kind: Any, error: str) -> str:
    """Return what msgspec expected, as a message for the user."""
    text = error.partition(" - at")[0]
    choices = _choices(kind)
    if choices and (text.startswith("Invalid enum") or not _is_union(kind)):
        return f"must be one of {', '.join(choices)}"
    if "matching regex" in text:
        described = (str(each.description) for each in _bounds(kind) if each.description)
        return f"must be {next(described, _as_text(text))}"
    return _as_text(text) if not text.startswith("Expected ") else f"must be {_as_text(text)}"


def _as_text(text: str) -> str:
    text = text.removeprefix("Expected ").partition(", got")[0]
    text = text.replace("`", "").replace(" | ", " or ")
    return re.sub(
        r"^\w+|(?<=or )\w+", lambda match: TYPE_TEXTS.get(match[0], match[0].lower()), text
    )


def _choices(kind: Any) -> list[str]:
    found: list[str] = []
    for member in _members(kind):
        if get_origin(member) is Literal:
            found += [str(each) for each in get_args(member)]
        elif isinstance(member, type) and issubclass(member, Enum):
            found += [str(each.value) for each in member]
    return [each for each in found if each]  # "" is the default, which needs no word


def _actual(value: object) -> str:
    if isinstance(value, dict):
        return ", not a mapping"
    if isinstance(value, list):
        return ", not a list"
    shown = repr(value) if isinstance(value, str) else str(value)
    return f", not {printable(shown, 80)}" if value is not None else ", not empty"


def _key_hint(key: str, known: Iterable[str]) -> str:
    if key == "password":
        return "; the file must not contain passwords: use password_file or password_env"
    return suggestion(key, known)


@cache
def _fields(kind: type[Struct]) -> dict[str, FieldInfo]:
    """Return the fields of a Struct by their keys in the file."""
    return {each.encode_name: each for each in fields(kind)}


def _member_for(kind: Any, value: object) -> Any:
    """Return the member of a union that fits this value; the type itself if it is no union."""
    if not _is_union(kind):
        return kind
    for member in get_args(_plain(kind)):
        plain = _plain(member)
        fits = (
            (_text_form(plain) and value is not None)
            or (
                isinstance(value, dict)
                and (_is_plain_struct(plain) or get_origin(plain) in MAPPINGS)
            )
            or (isinstance(value, list) and get_origin(plain) in LISTS)
        )
        if fits:
            return member
    return kind


def _text_form(plain: Any) -> TextForm | None:
    return TEXT_FORMS.get(plain)


def _is_plain_struct(plain: Any) -> bool:
    """Return whether this is a Struct that is written in the file as a mapping of its fields."""
    if not isinstance(plain, type) or not issubclass(plain, Struct):
        return False
    return plain.__struct_config__.tag is None and not plain.__struct_config__.array_like


def _is_union(kind: Any) -> bool:
    return get_origin(_plain(kind)) in (Union, UnionType)


def _members(kind: Any) -> Iterator[Any]:
    """Yield the members of a union, or the type itself, without their annotations."""
    plain = _plain(kind)
    yield from map(_plain, get_args(plain)) if _is_union(kind) else (plain,)


def _plain(kind: Any) -> Any:
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def _bounds(kind: Any) -> Iterator[Meta]:
    """Yield the constraints and descriptions that a type is annotated with."""
    if get_origin(kind) is Annotated:
        yield from (each for each in get_args(kind)[1:] if isinstance(each, Meta))
