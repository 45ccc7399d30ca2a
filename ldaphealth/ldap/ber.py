"""Encoding and decoding of elements in BER, as LDAP restricts it (RFC 4511 5.1, X.690).

Decoding reads what a server sent: everything that is not as it must be is a ValueError. Each value
is returned by the function for its type, which refuses an element of another type.
"""

from __future__ import annotations

BOOLEAN, INTEGER, OCTET_STRING, ENUMERATED, SEQUENCE, SET = 0x01, 0x02, 0x04, 0x0A, 0x30, 0x31
MAX_INTEGER = 2**31 - 1  # maxInt, RFC 4511 4.1.1
SHORT_FORM = 0x80  # a length below it is one octet, X.690 8.1.3.4
LONG_TAG = 0x1F  # the number of a tag of several octets, X.690 8.1.2.4; LDAP has none
INTEGER_BYTES = LENGTH_BYTES = 4  # maxInt fits in four octets
HEADER_BYTES = 2  # at least: identifier and length
MOST_ELEMENTS = 400_000  # in one list, 0.1 s of CPU; a message of 16 MiB could have 8 million

Element = tuple[int, int, int]  # identifier octet; where the content starts and stops


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


def elements(data: bytes, start: int = 0, stop: int | None = None) -> list[Element]:
    """Return the elements in that part of the octets, without a look into them; ValueError."""
    end = len(data) if stop is None else stop
    found: list[Element] = []
    while start < end:
        tag = data[start]
        if start + HEADER_BYTES > end or tag & LONG_TAG == LONG_TAG:
            raise ValueError("an element without a valid tag and length")
        size = data[start + 1]
        start += HEADER_BYTES
        if size >= SHORT_FORM:
            octets = size - SHORT_FORM
            if not 1 <= octets <= LENGTH_BYTES:
                raise ValueError("an element without a valid length")
            size = int.from_bytes(data[start : start + octets], "big")
            start += octets
        if start + size > end:
            raise ValueError("an element is longer than what contains it")
        found.append((tag, start, start + size))
        if len(found) > MOST_ELEMENTS:
            raise ValueError(f"more than {MOST_ELEMENTS} elements in a list")
        start += size
    return found


def inner(data: bytes, outer: Element, tag: int) -> list[Element]:
    """Return the elements inside of one with this identifier octet; ValueError."""
    found, start, stop = outer
    if found != tag:
        raise ValueError(f"an element 0x{found:02x} where 0x{tag:02x} must be")
    return elements(data, start, stop)


def octets(data: bytes, element: Element) -> bytes:
    """Return the content of a primitive OCTET STRING; ValueError."""
    tag, start, stop = element
    if tag != OCTET_STRING:
        raise ValueError(f"an element 0x{tag:02x} where an OCTET STRING must be")
    return data[start:stop]


def decode_integer(data: bytes, element: Element, tag: int = INTEGER) -> int:
    """Return an INTEGER, or with that tag an ENUMERATED, from 0 to maxInt; ValueError."""
    found, start, stop = element
    if found != tag:
        raise ValueError(f"an element 0x{found:02x} where a number must be")
    if not 0 < stop - start <= INTEGER_BYTES:
        raise ValueError("a number of no or too many octets")
    value = int.from_bytes(data[start:stop], "big", signed=True)
    if value < 0:
        raise ValueError("a negative number")
    return value
