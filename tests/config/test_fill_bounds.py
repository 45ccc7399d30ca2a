"""Every constraint that a type can state is checked: as msgspec does, but with all mistakes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Meta, Struct, ValidationError, convert
from msgspec.structs import fields

from ldaphealth.config.fill import fill, fill_struct
from ldaphealth.config.mistakes import Problems
from ldaphealth.judging.thresholds import Range
from ldaphealth.ldap.endpoint import Endpoint
from ldaphealth.model import SettingMistakes


class Colour(Enum):
    """Two choices."""

    RED = "red"
    BLUE = "blue"


class Inner(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A mapping in another."""

    number: Annotated[int, Meta(ge=1)]
    letters: Annotated[str, Meta(max_length=2)] = ""


class Tagged(Struct, frozen=True, tag="tagged", forbid_unknown_fields=True):
    """A tagged mapping."""

    number: int = 0


class Renamed(Struct, frozen=True, rename="kebab", forbid_unknown_fields=True):
    """Keys that have other names in the file."""

    two_words: int = 0


class Every(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One of every kind of constraint."""

    at_least: Annotated[int, Meta(ge=1, lt=9)] = 1
    between: Annotated[float, Meta(gt=0, le=2)] = 1
    multiple: Annotated[int, Meta(multiple_of=3)] = 3
    text: Annotated[str, Meta(min_length=1, max_length=2)] = "a"
    pattern: Annotated[str, Meta(pattern="^a")] = "a"
    flag: bool = False
    choice: Literal["a", "b", 1] = "a"
    colour: Colour = Colour.RED
    colours: Colour | None = None
    numbers: Annotated[list[int], Meta(min_length=1, max_length=2)] = []
    untyped: Annotated[list, Meta(max_length=1)] = []  # type: ignore[type-arg]
    pair: tuple[int, str] = (1, "a")
    many: Annotated[tuple[Annotated[int, Meta(ge=0)], ...], Meta(max_length=2)] = ()
    unique: Annotated[set[int], Meta(min_length=1)] = set()
    fixed: Annotated[frozenset[str], Meta(max_length=1)] = frozenset()
    table: Annotated[
        dict[Annotated[str, Meta(min_length=1, max_length=2)], Annotated[int, Meta(le=5)]],
        Meta(min_length=1, max_length=2),
    ] = {}
    by_number: dict[int, str] = {}
    mapping: Mapping[str, Sequence[int]] = {}
    inner: Inner | None = None
    inners: list[Inner] = []
    either: int | Inner | list[int] | None = None
    long_or_text: Annotated[list[int], Meta(min_length=2)] | str = ""
    tagged: Tagged = Tagged()
    renamed: Renamed = Renamed()
    day: date = date(2026, 1, 1)
    anything: Any = None


FIELDS = {each.name: each.type for each in fields(Every)}
KEYS = st.sampled_from(["a", "ab", "abc", "", "number", "letters", "two-words", "type", 1])
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-1, 10)
    | st.sampled_from(
        [0.5, 1.0, 2.5, 2**70, "2026-01-01", "", "a", "ab", "abc", "red", "blue", "tagged"]
    )
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(KEYS, inner, max_size=3)
        | st.fixed_dictionaries({"number": inner})
    ),
    max_leaves=6,
)


def filled(kind: Any, value: object) -> tuple[Any, list[str]]:
    problems = Problems()
    return fill(kind, value, "key", problems), problems.lines


def converted(kind: Any, value: object) -> Any:
    try:
        return convert(value, kind, strict=True)
    except ValidationError:
        return UNSET


@pytest.mark.parametrize("name", FIELDS)
@given(value=VALUES)
def test_what_msgspec_takes_is_taken_and_nothing_else(name: str, value: object) -> None:
    found, problems = filled(FIELDS[name], value)
    expected = converted(FIELDS[name], value)

    assert bool(problems) is (expected is UNSET)
    if not problems:
        assert (found, type(found)) == (expected, type(expected))


@given(st.dictionaries(st.sampled_from([*FIELDS, "unknown"]), VALUES, max_size=6))
def test_each_wrong_key_is_named_and_no_other(values: dict[str, object]) -> None:
    problems = Problems()
    found = fill_struct(Every, values, "", problems)
    wrong = {
        key
        for key, value in values.items()
        if key not in FIELDS or converted(FIELDS[key], value) is UNSET
    }

    assert {line.partition(":")[0].partition(".")[0] for line in problems.lines} == wrong
    assert bool(wrong) is (converted(Every, values) is UNSET)
    assert isinstance(found, Every)


@pytest.mark.parametrize("name", FIELDS)
@given(value=VALUES)
def test_what_remains_after_a_mistake_is_a_value_of_the_type(name: str, value: object) -> None:
    found, _ = filled(Annotated[FIELDS[name], Meta(description="a key")], value)

    assert found is UNSET or converted(FIELDS[name], found) is not UNSET


@pytest.mark.parametrize(
    ("key", "value", "problems"),
    [
        ("at_least", 0, ["key: must be a whole number >= 1, not 0"]),
        ("at_least", 9, ["key: must be a whole number <= 8, not 9"]),
        ("at_least", 2.5, ["key: must be a whole number, not 2.5"]),
        ("between", 0, ["key: must be a number > 0.0, not 0"]),
        ("between", 3, ["key: must be a number <= 2.0, not 3"]),
        ("multiple", 4, ["key: must be a whole number that's a multiple of 3, not 4"]),
        ("text", "", ["key: must be a text of length >= 1, not ''"]),
        ("text", "abc", ["key: must be a text of length <= 2, not 'abc'"]),
        ("pattern", "b", ["key: must be a text matching regex '^a', not 'b'"]),
        ("flag", 1, ["key: must be true or false, not 1"]),
        ("choice", "c", ["key: must be one of a, b, 1, not 'c'"]),
        ("colour", "green", ["key: must be one of red, blue, not 'green'"]),
        ("colours", "green", ["key: must be one of red, blue, not 'green'"]),
        ("colours", 1, ["key: must be a text or empty, not 1"]),
        ("numbers", [], ["key: is empty"]),
        ("numbers", [1, 2, 3], ["key: must have at most 2 values, not 3"]),
        (
            "numbers",
            ["x", 2, "y"],
            [
                "key: must have at most 2 values, not 3",
                "key.1: must be a whole number, not 'x'",
                "key.3: must be a whole number, not 'y'",
            ],
        ),
        ("numbers", 1, ["key: must be a list, not 1"]),
        ("untyped", [1, 2], ["key: must be a list of length <= 1, not a list"]),
        (
            "pair",
            ["x"],
            [
                "key: must be a list of 2, not of 1",
                "key.1: must be a whole number, not 'x'",
            ],
        ),
        (
            "many",
            [-1, 0, -2],
            [
                "key: must have at most 2 values, not 3",
                "key.1: must be a whole number >= 0, not -1",
                "key.3: must be a whole number >= 0, not -2",
            ],
        ),
        ("unique", [], ["key: is empty"]),
        ("fixed", ["a", "a"], ["key: must have at most 1 value, not 2"]),
        ("table", {}, ["key: is empty"]),
        (
            "table",
            {"abc": 6, "a": 6, "b": 1},
            [
                "key: must have at most 2 values, not 3",
                "key.abc: must be a text of length <= 2, not 'abc'",
                "key.abc: must be a whole number <= 5, not 6",
                "key.a: must be a whole number <= 5, not 6",
            ],
        ),
        ("by_number", {"a": "b"}, ["key.a: must be a whole number, not 'a'"]),
        ("mapping", {"a": [1, "x"]}, ["key.a.2: must be a whole number, not 'x'"]),
        ("inner", {}, ["key.number: is missing"]),
        ("inner", [], ["key: must be a mapping or empty, not a list"]),
        (
            "inners",
            [{"number": 0}, {"number": 1, "leters": "a"}],
            [
                "key.1.number: must be a whole number >= 1, not 0",
                "key.2.leters: unknown key; did you mean letters?",
            ],
        ),
        ("either", {"number": 0}, ["key.number: must be a whole number >= 1, not 0"]),
        ("either", [1, "x"], ["key.2: must be a whole number, not 'x'"]),
        ("long_or_text", [1], ["key: must have at least 2 values, not 1"]),
        ("renamed", {"two_words": 1}, ["key.two_words: unknown key; did you mean two-words?"]),
        ("day", "x", ["key: invalid RFC3339 encoded date, not 'x'"]),
    ],
)
def test_each_mistake_is_in_plain_words(key: str, value: object, problems: list[str]) -> None:
    assert filled(FIELDS[key], value)[1] == problems


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (Range, "1:2", Range(1, 2)),
        (Range | None, 2, Range(end=2)),
        (Range | None, None, None),
        (list[Range], [1, "2"], [Range(end=1), Range(end=2)]),
        (dict[str, Range], {"a": 1}, {"a": Range(end=1)}),
        (Endpoint, "[::1]:1", Endpoint("tcp", "::1", 1)),
        (Endpoint | None, None, None),
        (tuple[Path, int], ["/a", 1], (Path("/a"), 1)),
    ],
)
def test_a_type_with_a_text_form_is_made_of_it(kind: Any, value: object, expected: object) -> None:
    assert filled(kind, value) == (expected, [])


@pytest.mark.parametrize(
    ("kind", "value", "problem"),
    [
        (Range, True, 'key: must be a range: a number, or a text such as "1:", not True'),
        (Endpoint | None, 1, "key: must be a text, not 1"),
        (Endpoint, "h", "key: 'h' is not HOST:PORT, such as 127.0.0.1:8389 or [::1]:8389"),
        (Path, "a/b", "key: must be an absolute path"),
        (list[Path], ["/a", 1], "key.2: must be a text, not 1"),
    ],
)
def test_a_text_form_that_is_wrong_is_reported(kind: Any, value: object, problem: str) -> None:
    assert filled(kind, value)[1] == [problem]


class Pair(Struct, frozen=True):
    """Two keys that must be given together."""

    first: str = ""
    second: str = ""

    def find_mistakes(self) -> SettingMistakes:
        """Yield a mistake of the whole, and one of a key."""
        if bool(self.first) != bool(self.second):
            yield "", "first and second go together"
        if self.first == "x":
            yield "first", "must not be x"


class Never(Struct, frozen=True):
    """It refuses all values."""

    number: int = 0

    def __post_init__(self) -> None:
        raise TypeError("takes nothing")


def test_a_struct_finds_what_is_wrong_with_it_as_a_whole() -> None:
    assert filled(list[Pair], [{"first": "x"}, {"first": "a", "second": "b"}])[1] == [
        "key.1: first and second go together",
        "key.1.first: must not be x",
    ]


def test_a_struct_that_cannot_be_made_is_reported() -> None:
    assert filled(Never, {"number": 1}) == (UNSET, ["key: takes nothing"])
