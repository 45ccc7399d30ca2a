"""A server ID is read as it is shown: in hexadecimal digits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaphealth.csn.server_id import MAX_SERVER_ID, ServerId, parse_server_id


@pytest.mark.parametrize(
    ("written", "number"),
    [("010", 16), ("16", 22), ("1", 1), ("01A", 26), ("0x1f", 31), ("fff", 4095), (0, 0), (16, 16)],
)
def test_a_server_id_is_read_in_hexadecimal_digits(written: str | int, number: int) -> None:
    assert parse_server_id(written) == number


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (4096, "4096 is not a server ID"),
        (-1, "-1 is not a server ID"),
        ("1000", "'1000' is not a server ID"),
        ("", "'' is not a server ID"),
        ("xyz", "'xyz' is not a server ID"),
        ("-1", "'-1' is not a server ID"),
        ("\N{ARABIC-INDIC DIGIT ONE}", "is not a server ID"),
    ],
)
def test_what_cannot_be_a_server_id_is_refused(written: str | int, message: str) -> None:
    with pytest.raises(ValueError, match="server ID") as refused:
        parse_server_id(written)

    assert message in str(refused.value)


@given(st.integers(0, MAX_SERVER_ID))
def test_what_is_shown_is_read_again(number: int) -> None:
    assert parse_server_id(str(ServerId(number))) == number
