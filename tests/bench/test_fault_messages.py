"""The few bytes of LDAP that faults are made of, against RFC 4511 written out by hand."""

from __future__ import annotations

import pytest

from bench.faults import messages

UNBIND = bytes.fromhex("30050201034200")
LONG = messages.search_below(5, "dc=" + "x" * 200)


@pytest.mark.parametrize(
    ("data", "whole", "rest"),
    [
        pytest.param(b"", [], b"", id="nothing"),
        pytest.param(UNBIND, [UNBIND], b"", id="one"),
        pytest.param(UNBIND + UNBIND[:3], [UNBIND], UNBIND[:3], id="one and a part"),
        pytest.param(LONG + UNBIND, [LONG, UNBIND], b"", id="a long one"),
        pytest.param(LONG[:1], [], LONG[:1], id="without its length"),
        pytest.param(LONG[:2], [], LONG[:2], id="with half of its length"),
    ],
)
def test_a_stream_is_cut_into_messages(data: bytes, whole: list[bytes], rest: bytes) -> None:
    assert messages.split(data) == (whole, rest)


def test_the_id_and_the_operation_of_a_message() -> None:
    assert messages.id_and_tag(LONG) == (b"\x02\x01\x05", messages.SEARCH_REQUEST)
    assert messages.id_and_tag(UNBIND) == (b"\x02\x01\x03", 0x42)


def test_the_end_of_a_search_with_a_code() -> None:
    done = messages.search_done(b"\x02\x01\x07", 51)

    assert done == bytes.fromhex("300c 020107 6507 0a0133 0400 0400".replace(" ", ""))
