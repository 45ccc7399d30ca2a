"""Requests that a check states before it makes them, so that they travel together.

A flight is sent with one send, before any of its answers has come (RFC 4511 4.1.1.1 lets a client
have several requests outstanding). rounds/flights.py makes flights of what the checks state, and
message_layer.py sends them. These are plain values: ldap3 is not imported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self, TypeAlias

from msgspec import Struct

from ldaphealth.ldap.names import ALL_ENTRIES

if TYPE_CHECKING:
    from ldaphealth.ldap.codec import Scope


class SearchRequest(Struct, frozen=True, cache_hash=True):
    """What `Session.search` gets (RFC 4511 4.5.1)."""

    base: str
    scope: Scope
    filter: str
    attributes: tuple[str, ...]
    size_limit: int = 0

    @classmethod
    def read(cls, dn: str, attributes: tuple[str, ...]) -> Self:
        """Return the request of `Session.read`: a search of one entry."""
        return cls(dn, "base", ALL_ENTRIES, attributes)


class CompareRequest(Struct, frozen=True, cache_hash=True):
    """What `Session.compare` gets (RFC 4511 4.10)."""

    dn: str
    attribute: str
    value: str


Request: TypeAlias = SearchRequest | CompareRequest
Flight: TypeAlias = tuple[Request, ...]
