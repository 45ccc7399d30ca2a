"""Responses of the form that nearly all have, read in one pass: a round reads thirty of them.

codec.py tries this first, and reads itself what has another form or is malformed: each function
returns None for it, and otherwise what codec.py would. docs/performance.md has what it saves.
"""

from __future__ import annotations

from typing import TypeAlias

from ldaphealth.ldap.ber import (
    INTEGER,
    INTEGER_BYTES,
    LENGTH_BYTES,
    LONG_TAG,
    OCTET_STRING,
    SEQUENCE,
    SET,
    SHORT_FORM,
)

LARGEST_BYTES = 60_000  # what is larger is read in another way, which has bounds

Entry: TypeAlias = tuple[str, dict[str, tuple[bytes, ...]]]


def read_envelope(message: bytes) -> tuple[int, int, bytes] | None:
    """Return message ID, identifier octet and content of an LDAPMessage without controls."""
    try:
        size, at = message[1], 2
        if size >= SHORT_FORM:
            size, at = _long(message, size, at)
        octets = message[at + 1]
        start = at + 2
        if (
            message[at] != INTEGER
            or not 0 < octets <= INTEGER_BYTES
            or message[start] >= SHORT_FORM
        ):
            return None
        if message[0] != SEQUENCE or at + size != len(message):
            return None
        at = start + octets
        number, tag = int.from_bytes(message[start:at], "big"), message[at]
        if tag & LONG_TAG == LONG_TAG:
            return None
        size, at = message[at + 1], at + 2
        if size >= SHORT_FORM:
            size, at = _long(message, size, at)
    except IndexError:
        return None
    return (number, tag, message[at:]) if at + size == len(message) else None


def read_entry(payload: bytes) -> Entry | None:
    """Return the DN and the attributes of a SearchResultEntry (RFC 4511 4.5.2)."""
    if len(payload) > LARGEST_BYTES:
        return None
    try:
        return _read_entry(payload)
    except IndexError:
        return None


def _read_entry(data: bytes) -> Entry | None:  # noqa: C901, PLR0911, PLR0912  inlined: a call is dear
    end = len(data)
    size, at = data[1], 2
    if size >= SHORT_FORM:
        size, at = _long(data, size, at)
    start, at = at, at + size
    if data[0] != OCTET_STRING or data[at] != SEQUENCE:
        return None
    dn = data[start:at]
    size, at = data[at + 1], at + 2
    if size >= SHORT_FORM:
        size, at = _long(data, size, at)
    if at + size != end:
        return None
    found: dict[str, tuple[bytes, ...]] = {}
    while at < end:
        if data[at] != SEQUENCE:
            return None
        size, at = data[at + 1], at + 2
        if size >= SHORT_FORM:
            size, at = _long(data, size, at)
        stop = at + size
        if stop > end or data[at] != OCTET_STRING:
            return None
        size, at = data[at + 1], at + 2
        if size >= SHORT_FORM:
            size, at = _long(data, size, at)
        start, at = at, at + size
        name = data[start:at]
        if data[at] != SET:
            return None
        size, at = data[at + 1], at + 2
        if size >= SHORT_FORM:
            size, at = _long(data, size, at)
        if at + size != stop:
            return None
        values = []
        while at < stop:
            if data[at] != OCTET_STRING:
                return None
            size, at = data[at + 1], at + 2
            if size >= SHORT_FORM:
                size, at = _long(data, size, at)
            start, at = at, at + size
            if at > stop:
                return None
            values.append(data[start:at])
        found[name.decode("ascii", "replace").lower()] = tuple(values)
    return dn.decode("utf-8", "replace"), found


def _long(data: bytes, first: int, at: int) -> tuple[int, int]:
    """Return a length of the long form (X.690 8.1.3.5), and where it ends; IndexError."""
    octets = first - SHORT_FORM
    if not 0 < octets <= LENGTH_BYTES:
        raise IndexError
    return int.from_bytes(data[at : at + octets], "big"), at + octets
