"""The requests of flights as they are sent, so that a session need not encode them again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType

from ldaphealth.ldap import codec
from ldaphealth.ldap.flight import CompareRequest, Flight, Request
from ldaphealth.ldap.message_layer import EncodedRequest
from ldaphealth.ldap.sentences import on

EncodedFlights = Mapping[bytes, Sequence[EncodedRequest]]  # a flight, by each of its requests

NO_FLIGHTS: EncodedFlights = MappingProxyType({})


def encoded_flights(flights: Iterable[Flight]) -> EncodedFlights:
    """Return the requests as `Session.search` and `Session.compare` send them, in order.

    One that cannot be encoded is left out, and fails when it is made.
    """
    found: dict[bytes, Sequence[EncodedRequest]] = {}
    for flight in flights:
        encoded: list[EncodedRequest] = []
        for each in flight:
            with suppress(Exception):  # ldap3 and pyasn1 raise any error, even RecursionError
                encoded.append(_encoded(each))
        for one in encoded:
            found.setdefault(one.octets, (*encoded,))
    return found


def _encoded(request: Request) -> EncodedRequest:
    if isinstance(request, CompareRequest):
        octets = codec.compare_request(request.dn, request.attribute, request.value)
        return EncodedRequest("compare", octets, codec.COMPARE, on("compare on", request.dn))
    octets = codec.search_request(
        request.base, request.scope, request.filter, request.attributes, request.size_limit
    )
    return EncodedRequest("search", octets, codec.DONE, on("search below", request.base))
