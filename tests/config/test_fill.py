"""Every mistake is found, whatever the data; what is right is read."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Meta, Struct

from ldaphealth.config.fill import fill_struct
from ldaphealth.config.mistakes import Problems
from ldaphealth.config.shape import File
from ldaphealth.judging.thresholds import Range, Thresholds

KEYS = st.sampled_from(
    ["clusters", "credentials", "servers", "uri", "tls", "checks", "search", "effect", "seconds"]
)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=8), inner),
    max_leaves=12,
)


class Inner(Struct, frozen=True):
    """A mapping with a bound and with ranges."""

    number: Annotated[int, Meta(ge=1)]
    limits: Thresholds = Thresholds()


class Outer(Struct, frozen=True):
    """One of every kind of place."""

    inner: Inner
    word: str | Inner = ""
    many: tuple[Inner, ...] = ()


def filled(data: object) -> tuple[Any, list[str]]:
    problems = Problems()
    return fill_struct(Outer, data, "", problems), problems.lines


def test_what_is_right_is_read() -> None:
    found, problems = filled(
        {"inner": {"number": 1, "limits": {"critical": "1:"}}, "many": [{"number": 2}]}
    )

    assert problems == []
    assert found == Outer(Inner(1, Thresholds(critical=Range(start=1))), many=(Inner(2),))


def test_one_of_two_shapes_is_read() -> None:
    assert filled({"inner": {"number": 1}, "word": {"number": 3}})[0].word == Inner(3)
    assert filled({"inner": {"number": 1}, "word": "w"})[0].word == "w"


def test_all_mistakes_are_reported_in_the_order_of_the_file() -> None:
    _, problems = filled({"iner": 1, "inner": {"number": 0}, "many": [7, {"number": "x"}]})

    assert problems == [
        "iner: unknown key; did you mean inner?",
        "inner.number: must be a whole number >= 1, not 0",
        "many.1: must be a mapping of keys to values, not 7",
        "many.2.number: must be a whole number, not 'x'",
    ]


def test_a_mistake_in_a_needed_key_leaves_nothing() -> None:
    assert filled({"inner": {"number": 0}})[0] is UNSET


@given(PLAIN)
def test_no_data_whatever_is_an_error_of_ours(data: object) -> None:
    problems = Problems()
    found = fill_struct(File, data, "", problems)

    assert isinstance(found, File) or problems.lines
    assert all(line.isprintable() for line in problems.lines)


@pytest.mark.parametrize("data", [None, [], "text", 5])
def test_what_is_no_mapping_is_reported(data: object) -> None:
    found, problems = filled(data)

    assert found is UNSET
    assert problems[0].startswith("the file: must be a mapping")
