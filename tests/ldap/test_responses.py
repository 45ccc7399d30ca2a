"""Each value of a response has its type, or the response is refused in no time."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from time import process_time

import pytest

from ldaphealth.ldap import ber, codec

BIND, DONE = 0x61, 0x65
HUGE = ber.element(ber.INTEGER, b"\x7f\xff\xff\xff")  # as many octets, if it were taken as a size
DN, OK = ber.octet_string("cn=x"), b"\x0a\x01\x00"
NO_TEXT = ber.octet_string("")
NUMBER = ber.integer(1)
VALUES = ber.element(ber.SET, ber.octet_string("x"))
PAGED = ber.octet_string(codec.PAGED_RESULTS_OID)
# Elements of every type of a response but octets, and octets that end before their length.
NO_OCTETS = {
    "a huge number": HUGE,
    "a boolean": b"\x01\x01\xff",
    "a number": NUMBER,
    "a sequence": b"\x30\x00",
    "a sequence of octets": ber.element(ber.SEQUENCE, DN),
    "a set": b"\x31\x00",
    "octets in parts": ber.element(0x24, DN),
    "a field": b"\x84\x00",
    "null": b"\x05\x00",
    "octets that end too soon": b"\x04\x05x",
    "octets without a length": b"\x04",
    "octets of an indefinite length": b"\x04\x80\x00\x00",
    "a tag of two octets": b"\x1f\x81\x01\x00",
    "nothing": b"",
}


def sequence(*parts: bytes) -> bytes:
    return ber.element(ber.SEQUENCE, b"".join(parts))


def message(operation: bytes, *more: bytes) -> bytes:
    return sequence(NUMBER, operation, *more)


def refused(decode: Callable[[], object]) -> bool:
    """Decode and return whether it is a ValueError; it takes no time and no memory to speak of."""
    tracemalloc.start()
    began = process_time()
    try:
        decode()
    except ValueError:
        is_refused = True
    else:
        is_refused = False
    took, (_, peak_bytes) = process_time() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert took < 0.2
    assert peak_bytes < 1 << 20
    return is_refused


@pytest.mark.parametrize("value", NO_OCTETS.values(), ids=NO_OCTETS)
@pytest.mark.parametrize(
    ("decode", "payload"),
    [
        pytest.param(codec.result, lambda x: OK + x + NO_TEXT, id="matched DN"),
        pytest.param(codec.result, lambda x: OK + DN + x, id="diagnostic message"),
        pytest.param(
            codec.result, lambda x: OK + DN + NO_TEXT + ber.element(0xA3, x or HUGE), id="referral"
        ),
        pytest.param(codec.check_reference, lambda x: x or HUGE, id="reference"),
        pytest.param(codec.octets_entry, lambda x: x + sequence(), id="DN"),
        pytest.param(
            codec.octets_entry, lambda x: DN + sequence(sequence(x, VALUES)), id="attribute"
        ),
        pytest.param(
            codec.octets_entry,
            lambda x: DN + sequence(sequence(DN, ber.element(ber.SET, x or HUGE))),
            id="value",
        ),
    ],
)
def test_what_is_no_octets_where_octets_must_be_is_refused(
    decode: Callable[[bytes], object], payload: Callable[[bytes], bytes], value: bytes
) -> None:
    assert refused(lambda: decode(payload(value)))


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\x30\x00", id="an empty message"),
        pytest.param(sequence(NUMBER), id="no operation"),
        pytest.param(sequence(DN, ber.element(DONE, b"")), id="the message ID is octets"),
        pytest.param(sequence(OK, ber.element(DONE, b"")), id="the message ID is an ENUMERATED"),
        pytest.param(sequence(b"\x02\x00", ber.element(DONE, b"")), id="an empty message ID"),
        pytest.param(sequence(b"\x02\x01\xff", ber.element(DONE, b"")), id="a negative one"),
        pytest.param(message(DN), id="the operation is octets"),
        pytest.param(message(ber.element(0x45, b"")), id="a primitive operation"),
        pytest.param(message(ber.element(DONE, b""))[:-1], id="cut off"),
        pytest.param(message(ber.element(DONE, b"")) * 2, id="two messages"),
        pytest.param(message(ber.element(DONE, b""), ber.element(0xA0, DN)), id="no control"),
        pytest.param(
            message(ber.element(DONE, b""), ber.element(0xA0, sequence())), id="a control, no name"
        ),
        pytest.param(
            message(ber.element(DONE, b""), ber.element(0xA0, sequence(HUGE))),
            id="the name of a control is a number",
        ),
        pytest.param(
            message(ber.element(DONE, b""), ber.element(0xA0, sequence(PAGED, HUGE))),
            id="the value of a control is a number",
        ),
    ],
)
def test_what_is_no_message_is_refused(broken: bytes) -> None:
    assert refused(lambda: codec.response(broken))


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(None, id="none"),
        pytest.param(b"", id="empty"),
        pytest.param(HUGE, id="a number"),
        pytest.param(sequence(NUMBER, HUGE), id="the cookie is a number"),
        pytest.param(sequence(DN, DN), id="the size is octets"),
        pytest.param(sequence(NUMBER), id="no cookie"),
    ],
)
def test_a_cookie_that_is_none_is_refused(value: bytes | None) -> None:
    assert refused(lambda: codec.cookie({codec.PAGED_RESULTS_OID: value}))


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(DN + sequence(*[sequence(NO_TEXT, VALUES)] * 100_000), id="attributes"),
        pytest.param(
            DN + sequence(sequence(DN, ber.element(ber.SET, NO_TEXT * 500_000))), id="values"
        ),
    ],
)
def test_an_entry_of_far_too_many_parts_is_refused_in_time(payload: bytes) -> None:
    began = process_time()
    with pytest.raises(ValueError, match="more than"):
        codec.octets_entry(payload)
    assert process_time() - began < 0.5


def test_what_is_right_is_decoded() -> None:
    done = ber.element(BIND, OK + DN + ber.octet_string("fine") + ber.element(0xA3, DN) + b"\x87\0")
    control = sequence(PAGED, b"\x01\x01\xff", ber.octet_string("value"))
    found = codec.response(message(done, ber.element(0xA0, control), b"\x85\x00"))

    assert (found.message_id, found.tag) == (1, codec.BIND)
    assert found.controls == {codec.PAGED_RESULTS_OID: b"value"}
    assert codec.result(found.payload) == codec.Result(0, "fine")
    assert codec.octets_entry(DN + sequence(sequence(ber.octet_string("CN"), VALUES))) == (
        "cn=x",
        {"cn": (b"x",)},
    )
    assert codec.cookie({codec.PAGED_RESULTS_OID: sequence(NUMBER, DN)}) == b"cn=x"
