"""The few LDAP messages (RFC 4511) that faults are made of, as bytes; bench/faults alone uses it.

The bench shares no code with what it measures, so it has its own few lines of BER (X.690).
"""

from __future__ import annotations

BIND_REQUEST = 0x60
SEARCH_REQUEST = 0x63
SEARCH_ENTRY = 0x64
SEARCH_DONE = 0x65
LONG_FORM = 0x80


def tlv(tag: int, *parts: bytes) -> bytes:
    """Return one element: tag, length, content."""
    content = b"".join(parts)
    size = len(content)
    if size < LONG_FORM:
        return bytes([tag, size]) + content
    digits = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, LONG_FORM | len(digits)]) + digits + content


def message(number: int, operation: bytes) -> bytes:
    """Return an LDAPMessage with this ID, which is at most 127."""
    return tlv(0x30, tlv(0x02, bytes([number])), operation)


def bind(number: int, dn: str, password: str) -> bytes:
    """Return a simple bind."""
    content = (tlv(0x02, b"\x03"), tlv(0x04, dn.encode()), tlv(0x80, password.encode()))
    return message(number, tlv(BIND_REQUEST, *content))


def search_below(number: int, base: str) -> bytes:
    """Return a search of the whole subtree for all entries, without limits."""
    return message(
        number,
        tlv(
            SEARCH_REQUEST,
            tlv(0x04, base.encode()),
            tlv(0x0A, b"\x02"),  # wholeSubtree
            tlv(0x0A, b"\x00"),  # neverDerefAliases
            tlv(0x02, b"\x00"),
            tlv(0x02, b"\x00"),
            tlv(0x01, b"\x00"),
            tlv(0x87, b"objectClass"),  # present
            tlv(0x30),
        ),
    )


def search_done(message_id: bytes, code: int) -> bytes:
    """Return the end of a search with a result code, for the ID as it was encoded in a request."""
    content = (tlv(0x0A, bytes([code])), tlv(0x04), tlv(0x04))
    return tlv(0x30, message_id, tlv(SEARCH_DONE, *content))


def search_entry(message_id: bytes, dn: str) -> bytes:
    """Return an entry without attributes."""
    return tlv(0x30, message_id, tlv(SEARCH_ENTRY, tlv(0x04, dn.encode()), tlv(0x30)))


def split(data: bytes) -> tuple[list[bytes], bytes]:
    """Return the whole messages that the data begin with, and the rest."""
    messages = []
    while (size := _whole(data)) and size <= len(data):
        messages.append(data[:size])
        data = data[size:]
    return messages, data


def id_and_tag(whole: bytes) -> tuple[bytes, int]:
    """Return the encoded ID of a message, and the tag of its operation."""
    begin = _head(whole)
    end = begin + 2 + whole[begin + 1]
    return whole[begin:end], whole[end]


def _head(data: bytes) -> int:
    """Return how long tag and length are."""
    return 2 + (data[1] & ~LONG_FORM if data[1] & LONG_FORM else 0)


def _whole(data: bytes) -> int:
    """Return how long the first message is; 0: its length is not there yet."""
    if len(data) <= 1 or len(data) < _head(data):
        return 0
    head = _head(data)
    return head + (int.from_bytes(data[2:head], "big") if data[1] & LONG_FORM else data[1])
