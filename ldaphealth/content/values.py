"""Digests of the values of an entry, so that entries with the same entryCSN can be compared. Pure.

Values are compared as sets of octets. The order of attributes and of values does not matter (RFC
4512 2.3). Only user attributes are read: many operational ones, such as authTimestamp, are those of
one server.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b

from msgspec import Struct

DIGEST_BYTES = 16
# A digest of a short value could be found by trying values; with a key of the process it cannot.
KEY = secrets.token_bytes(32)
IDENTITY = ("entryUUID", "entryCSN")
USER_ATTRIBUTES = "*"  # RFC 4511 4.5.1.8
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,127}", re.ASCII)  # RFC 4512 1.4, or an OID
DESCRIPTION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.;-]{0,255}", re.ASCII)  # with options, 2.5

Values = Mapping[str, Sequence[bytes]]  # by attribute description


class ValueSelection(Struct, frozen=True):
    """Whether values are compared, and the attributes (lower case) whose values are not."""

    is_on: bool = False
    excluded: frozenset[str] = frozenset()

    @property
    def requested(self) -> tuple[str, ...]:
        """Return the attributes to read of each entry."""
        return (*IDENTITY, USER_ATTRIBUTES) if self.is_on else IDENTITY

    def without(self, names: Iterable[str]) -> ValueSelection:
        """Return the selection without more attributes."""
        return ValueSelection(self.is_on, self.excluded.union(map(str.lower, names)))

    def of(self, values: Values) -> dict[str, Sequence[bytes]]:
        """Return the values that are compared, by description in lower case."""
        if not self.is_on:
            return {}
        excluded = self.excluded | _IDENTITY
        return {
            name: found
            for description, found in values.items()
            if (name := description.lower()).partition(";")[0] not in excluded
        }


_IDENTITY = frozenset(name.lower() for name in IDENTITY)

NO_VALUES = ValueSelection()


def digest(values: Values) -> str:
    """Return a digest of the values, in hexadecimal; "" without any.

    It is the same only in one process. A length precedes each text, so that no two entries with
    other values yield the same octets.
    """
    if not values:
        return ""
    parts: list[bytes] = []
    for name in sorted(values):
        found = sorted({*values[name]})
        for each in (name.encode(), b"%d" % len(found), *found):
            parts += (b"%d:" % len(each), each)
    return blake2b(b"".join(parts), digest_size=DIGEST_BYTES, key=KEY).hexdigest()


def digests(values: Values) -> dict[str, str]:
    """Return a digest of the values of each attribute, by its description."""
    return {name: digest({name: found}) for name, found in values.items()}
