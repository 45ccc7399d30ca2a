"""A CSN reads and prints as OpenLDAP writes it, and orders as OpenLDAP compares it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaphealth.csn import (
    CSN,
    MOST_SERVER_IDS,
    CSNError,
    find_all,
    parse,
    parse_vector,
)

CSNS = st.builds(
    CSN,
    st.datetimes(min_value=datetime(1, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.integers(0, 0xFFFFFF),
    st.integers(0, 0xFFF),
    st.integers(0, 0xFFFFFF),
)


@given(CSNS)
def test_printing_and_parsing_are_inverse(csn: CSN) -> None:
    assert parse(str(csn)) == csn


@given(CSNS, CSNS)
def test_the_order_is_that_of_the_printed_strings(a: CSN, b: CSN) -> None:
    assert (a < b, a == b) == (str(a) < str(b), str(a) == str(b))


def test_an_old_server_writes_two_digits_and_no_fraction() -> None:
    csn = parse("20070101120000Z#0000FF#0a#000000")

    assert str(csn) == "20070101120000.000000Z#0000ff#00a#000000"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "20260230000000.000000Z#000000#001#000000",
        "20260101000000.00000Z#000000#001#000000",
        "20260101000000.000000Z#000000#1#000000",
        "20260101000000.000000Z#000000#1000#000000",
        "20260101000000.000000Z#00000g#001#000000",
        "20260101000000.000000Z#000000#001#000000\n",
        "\u0662\u0660260101000000.000000Z#000000#001#000000",
        "x" * 10_000,
    ],
)
def test_anything_else_is_quoted(text: str) -> None:
    with pytest.raises(CSNError) as caught:
        parse(text)

    assert ascii(text[:80])[1:-1] in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 800


def test_a_vector_is_bounded_because_all_servers_are_compared_by_all_of_it() -> None:
    values = [f"20261123101500.123456Z#000000#{sid:03x}#000000" for sid in range(1, 4096)]

    assert len(parse_vector(values[:MOST_SERVER_IDS])) == MOST_SERVER_IDS
    with pytest.raises(CSNError, match="more than 128 values of contextCSN"):
        parse_vector(values)


@given(
    st.lists(CSNS, min_size=1, max_size=5), st.sampled_from(["; ", ",csn=", "\n", " \r\n", "' '"])
)
def test_all_csns_in_a_text_are_found(csns: list[CSN], between: str) -> None:
    assert find_all(f"contextCSN: {between.join(map(str, csns))}\n") == csns


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("contextCSN: ", id="no value"),
        pytest.param("120261123101500.123456Z#000000#001#000000", id="a digit before"),
        pytest.param("20261123101500.123456Z#000000#001#0000000", id="a digit after"),
        pytest.param("csn=20260230101500.123456Z#000000#001#000000", id="no such date"),
    ],
)
def test_a_text_without_a_csn_is_an_error(text: str) -> None:
    with pytest.raises(CSNError, match="is not a CSN"):
        find_all(text)
