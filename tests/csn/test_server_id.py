"""A server ID is read as it is shown: in hexadecimal digits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaphealth.csn.server_id import ServerId, parse_server_id


@given(st.integers(0, 0xFFF).map(ServerId))
def test_what_is_shown_is_read_again(server_id: ServerId) -> None:
    assert parse_server_id(str(server_id)) == server_id
    assert len(str(server_id)) == 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [("10", 16), ("010", 16), ("0x10", 16), ("0XA", 10), ("fFf", 4095), ("0", 0), ("1e1", 481)],
)
def test_the_digits_of_a_server_id_are_hexadecimal(text: str, expected: int) -> None:
    assert parse_server_id(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "1000", "0010", "-1", "1.5", "xyz", "0x", " 1", "\N{ARABIC-INDIC DIGIT ONE}", "g"],
)
def test_what_is_not_a_server_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a server ID: write it as in a CSN"):
        parse_server_id(text)
