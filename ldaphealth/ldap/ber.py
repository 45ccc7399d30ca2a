"""Encoding of single elements in BER, as LDAP restricts it (RFC 4511 5.1, X.690)."""

from __future__ import annotations

MAX_INTEGER = 2**31 - 1  # maxInt, RFC 4511 4.1.1
SHORT_FORM = 0x80  # a length below it is one octet, X.690 8.1.3.4


def element(tag: int, content: bytes) -> bytes:
    """Encode an element with this identifier octet."""
    size = len(content)
    if size < SHORT_FORM:
        return bytes((tag, size)) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, SHORT_FORM | len(octets))) + octets + content


def octet_string(value: str, tag: int = 0x04) -> bytes:
    """Encode a text in UTF-8, under another tag if given; ValueError for a lone surrogate."""
    return element(tag, value.encode())


def integer(value: int) -> bytes:
    """Encode an INTEGER (0..maxInt); ValueError if it is out of bounds."""
    if not 0 <= value <= MAX_INTEGER:
        raise ValueError(f"{value} is not from 0 to {MAX_INTEGER}")
    return element(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))
