"""What makes the values of two entries the same, and what is left out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaphealth.content.values import DIGEST_BYTES, NO_VALUES, ValueSelection, digest, digests

ALL = ValueSelection(is_on=True)
names = st.text("abc;", min_size=1, max_size=3)
entries = st.dictionaries(names, st.lists(st.binary(max_size=3), min_size=1, max_size=3))


def as_sets(entry: dict[str, list[bytes]]) -> dict[str, set[bytes]]:
    return {name: {*values} for name, values in entry.items()}


@given(entries, entries)
def test_a_digest_is_the_same_if_and_only_if_the_sets_of_values_are(
    one: dict[str, list[bytes]], other: dict[str, list[bytes]]
) -> None:
    assert (digest(one) == digest(other)) is (as_sets(one) == as_sets(other))


@given(entries)
def test_the_order_of_attributes_and_values_does_not_matter(
    entry: dict[str, list[bytes]],
) -> None:
    again = {name: list(reversed(entry[name])) for name in reversed([*entry])}

    assert digest(entry) == digest(again)
    assert digests(entry) == digests(again)


def test_a_digest_has_one_size_and_none_without_values() -> None:
    assert len(digest({"jpegphoto": [bytes(1_000_000)]})) == 2 * DIGEST_BYTES
    assert digest({}) == ""


def test_values_that_are_no_text_are_compared_as_octets() -> None:
    assert digest({"x": [b"\xff"]}) != digest({"x": [b"\xfe"]})


SHOWN = {
    "entryuuid": [b"u"],
    "entrycsn": [b"c"],
    "cn": [b"a"],
    "cn;lang-de": [b"b"],
    "userpassword": [b"secret"],
}


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (NO_VALUES, set()),
        (ALL, {"cn", "cn;lang-de", "userpassword"}),
        (ALL.without(["userPassword"]), {"cn", "cn;lang-de"}),
        (ALL.without(["CN"]).without(["title"]), {"userpassword"}),
    ],
)
def test_the_attributes_that_are_compared(selection: ValueSelection, expected: set[str]) -> None:
    assert selection.of(SHOWN).keys() == expected


def test_operational_attributes_are_not_requested() -> None:
    assert NO_VALUES.requested == ("entryUUID", "entryCSN")
    assert ALL.requested == ("entryUUID", "entryCSN", "*")
