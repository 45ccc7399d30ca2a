"""Encoding of requests and decoding of responses (RFC 4511); the only module that uses ldap3.

session.py calls it. ldap3 is only used as a codec; docs/architecture.md gives the reasons. Errors
of ldap3 and pyasn1 are not caught here: settings that cannot be encoded, and malformed octets.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal
from unicodedata import category

from msgspec import Struct

from ldaphealth.ldap import ber, search_filter
from ldaphealth.model import BindMethod, Credentials

gc.disable()  # objects made by loading ldap3 all stay, so there is nothing to collect meanwhile
try:
    import ldap3
    from ldap3.core.results import RESULT_CODES
    from ldap3.operation.add import add_operation
    from ldap3.operation.bind import bind_operation
    from ldap3.operation.compare import compare_operation
    from ldap3.operation.extended import extended_operation
    from ldap3.operation.modify import modify_operation
    from ldap3.protocol.controls import build_control
    from ldap3.protocol.convert import build_controls_list
    from ldap3.protocol.rfc2696 import paged_search_control
    from ldap3.protocol.rfc4527 import post_read_control
    from ldap3.utils import asn1
finally:
    gc.enable()

START_TLS_OID = "1.3.6.1.4.1.1466.20037"  # RFC 4511 4.14.1
POST_READ_OID = "1.3.6.1.1.13.2"  # RFC 4527 3.2
PAGED_RESULTS_OID = "1.2.840.113556.1.4.319"  # RFC 2696 2
MANAGE_DSA_IT_OID = "2.16.840.1.113730.3.4.2"  # RFC 3296 3
SUCCESS, COMPARE_FALSE, COMPARE_TRUE = 0, 5, 6
SIZE_LIMIT_EXCEEDED, ADMIN_LIMIT_EXCEEDED = 4, 11
SEARCH, SEQUENCE = 0x63, 0x30  # identifier octets of a request and of a list
# Tags of responses, [APPLICATION n] in RFC 4511
BIND, ENTRY, DONE, MODIFY, ADD, COMPARE = 1, 4, 5, 7, 9, 15
REFERENCE, EXTENDED, INTERMEDIATE = 19, 24, 25
UNTYPED = ("Cc", "Cs")  # categories of Unicode: control characters, surrogates
INTEGER_BYTES = 4  # maxInt is 2^31 - 1, RFC 4511 4.1.1

Scope = Literal["base", "one", "sub"]
_SCOPES = {"base": 0, "one": 1, "sub": 2}  # RFC 4511 4.5.1.2


class Attributes(Mapping[str, tuple[str, ...]]):
    """The values of an entry by the names that the server sent, in lower case.

    A name is found in any case (RFC 4512 1.4), and without the options that the server added, as in
    `userCertificate;binary` (2.5.2).
    """

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, tuple[str, ...]]) -> None:
        self._values = values

    def __getitem__(self, name: str) -> tuple[str, ...]:
        key = name.lower()
        if key in self._values:
            return self._values[key]
        optioned = [self._values[each] for each in self._values if each.startswith(f"{key};")]
        if not optioned:
            raise KeyError(name)
        return tuple(value for values in optioned for value in values)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return repr(self._values)

    def all_as(self, name: str) -> Attributes:
        """Return all values under one name, that of the only attribute that was requested.

        A server may return it under another name: of an OID, an alias or a subtype.
        """
        if not self._values or self._values.keys() == {name}:
            return self
        return Attributes({name: tuple(each for values in self.values() for each in values)})


Entry = tuple[str, Mapping[str, tuple[str, ...]]]  # DN, attributes
OctetsEntry = tuple[
    str, Mapping[str, tuple[bytes, ...]]
]  # names in lower case, values as they are sent


def _integer(message: bytes, start: int, stop: int, _: object = None) -> int:
    """Decode an INTEGER of at most four bytes.

    That of ldap3 is quadratic in the length: 200 kB from a hostile server take 10 s of CPU.
    """
    if not 0 < stop - start <= INTEGER_BYTES:
        raise ValueError("integer out of bounds")
    return int.from_bytes(message[start:stop], "big", signed=True)


asn1.DECODERS[0, 2] = asn1.DECODERS[0, 10] = _integer  # INTEGER, ENUMERATED


class _FieldDecoders(dict[int, Any]):
    """Decoders by tag; a field of another tag is kept as octets, so that it can be ignored.

    RFC 4511 4 requires that of clients. A bind that is answered with a referral ends with such a
    field: in this response and in that to StartTLS ldap3 does not expect it.
    """

    def __missing__(self, _: int) -> Any:
        return asn1.decode_octet_string


for _name in ("BIND_RESPONSE_CONTEXT", "EXTENDED_RESPONSE_CONTEXT", "LDAP_MESSAGE_CONTEXT"):
    setattr(asn1, _name, _FieldDecoders(getattr(asn1, _name)))


class Response(Struct, frozen=True):
    """One decoded LDAPMessage; `payload` and `controls` are as ldap3 decodes them."""

    message_id: int
    tag: int
    payload: Any
    controls: Any

    @property
    def code(self) -> int:
        """Return the resultCode of an LDAPResult (RFC 4511 4.1.9); TypeError if it is no number."""
        code = self.payload[0][3]
        if not isinstance(code, int) or isinstance(code, bool):
            raise TypeError("the result code is not a number")
        return code

    @property
    def code_name(self) -> str:
        """Return the name of the result code in RFC 4511."""
        return str(RESULT_CODES.get(self.code, f"resultCode{self.code}"))

    @property
    def message(self) -> str:
        """Return the diagnostic message of an LDAPResult, "" if it cannot be decoded."""
        try:
            return bytes(self.payload[2][3]).decode("utf-8", "replace")
        except (IndexError, TypeError, ValueError):
            return ""


def response(message: bytes) -> Response:
    """Decode one message."""
    found = asn1.decode_message_fast(message)
    return Response(found["messageID"], found["protocolOp"], found["payload"], found["controls"])


def entry(payload: Any) -> tuple[str, Attributes]:
    """Return a decoded SearchResultEntry (RFC 4511 4.5.2)."""
    dn, found = octets_entry(payload)
    return dn, Attributes(
        {
            name: tuple(value.decode("utf-8", "replace") for value in values)
            for name, values in found.items()
        }
    )


def octets_entry(payload: Any) -> OctetsEntry:
    """Return a SearchResultEntry whose values are octets."""
    return bytes(payload[0][3]).decode("utf-8", "replace"), {
        bytes(attribute[3][0][3]).decode("ascii", "replace").lower(): tuple(
            bytes(value[3]) for value in attribute[3][1][3]
        )
        for attribute in payload[1][3]
    }


def _control(controls: Any, oid: str) -> bytes | None:
    """Return the value of a control of a response, None without it (RFC 4511 4.1.11)."""
    for _, _, _, fields in controls or ():
        if bytes(fields[0][3]) == oid.encode():
            return bytes(fields[-1][3])
    return None


def post_read_entry(controls: Any) -> Entry | None:
    """Return the entry in the post-read control of a response, None without one (RFC 4527 3.2)."""
    value = _control(controls, POST_READ_OID)
    if value is None:
        return None
    (found,) = asn1.decode_sequence(value, 0, len(value))
    return entry(found[3])


def cookie(controls: Any) -> bytes:
    """Return the cookie of the paged results control, empty after the last page (RFC 2696 2)."""
    value = _control(controls, PAGED_RESULTS_OID)
    if value is None:
        return b""
    ((_, _, _, (_, found)),) = asn1.decode_sequence(value, 0, len(value))
    return bytes(found[3])


# Requests. With ldap3, encoding takes three times as long as receiving and decoding. Every round
# sends the same requests, so those without a secret or a token are cached.


def _encode(request: Any) -> bytes:
    encoded: bytes = asn1.encode(request)
    return encoded


def bind_request(credentials: Credentials) -> bytes:
    """Encode a bind. The password is sent without SASLprep; as octets, ldap3 does not prepare it.

    RFC 4511 4.2 recommends that clients prepare textual passwords. Servers compare octets, and
    neither OpenLDAP's tools nor most clients prepare them: a password with a superscript or a
    combining accent that was set by ldappasswd(1) would never be accepted.
    """
    password = "" if credentials.password is None else credentials.password.reveal()
    if any(category(each) in UNTYPED for each in password):  # encode() would show it in its error
        raise ValueError("the password contains a control character, or is not UTF-8")
    if credentials.method is BindMethod.SIMPLE:
        octets = password.encode()
        request = bind_operation(3, ldap3.SIMPLE, credentials.dn, octets, auto_encode=True)
    elif credentials.method is BindMethod.EXTERNAL:
        request = bind_operation(3, ldap3.SASL, "", None, ldap3.EXTERNAL, "")
    else:
        request = bind_operation(3, ldap3.ANONYMOUS)
    return _encode(request)


@lru_cache(maxsize=1024)
def search_request(
    base: str, scope: Scope, filter_text: str, attributes: tuple[str, ...], size_limit: int
) -> bytes:
    """Encode a search (RFC 4511 4.5.1); aliases are not dereferenced.

    Without ldap3, which changes spaces in a filter, and refuses `(&)`.
    """
    scope_and_deref = bytes((0x0A, 1, _SCOPES[scope], 0x0A, 1, 0))
    no_time_limit, types_only = ber.integer(0), b"\x01\x01\x00"
    fields = (
        ber.octet_string(base),
        scope_and_deref,
        ber.integer(size_limit),
        no_time_limit,
        types_only,
        search_filter.encode(filter_text),
        ber.element(SEQUENCE, b"".join(ber.octet_string(each) for each in attributes)),
    )
    return ber.element(SEARCH, b"".join(fields))


def page_controls(page_size: int, cookie: bytes) -> bytes:
    """Encode the controls for one page; paging is critical (RFC 2696), ManageDsaIT is not."""
    controls = [
        paged_search_control(criticality=True, size=page_size, cookie=cookie),
        build_control(MANAGE_DSA_IT_OID, False, None),
    ]
    return _encode(build_controls_list(controls))


@lru_cache(maxsize=1024)
def compare_request(dn: str, attribute: str, value: str) -> bytes:
    """Encode a compare."""
    return _encode(compare_operation(dn, attribute, value, auto_encode=True))


def modify_request(dn: str, attribute: str, value: str) -> bytes:
    """Encode a modify that replaces all values by this one."""
    changes = {attribute: [(ldap3.MODIFY_REPLACE, [value])]}
    return _encode(modify_operation(dn, changes, auto_encode=True))


@lru_cache(maxsize=64)
def post_read(attributes: tuple[str, ...]) -> bytes:
    """Encode the post-read control (RFC 4527); it is not critical."""
    return _encode(build_controls_list([post_read_control([*attributes])]))


def add_request(dn: str, attributes: Mapping[str, Sequence[str]]) -> bytes:
    """Encode an add."""
    return _encode(add_operation(dn, {k: list(v) for k, v in attributes.items()}, auto_encode=True))


def start_tls_request() -> bytes:
    """Encode the request for StartTLS (RFC 4511 4.14.1)."""
    return _encode(extended_operation(START_TLS_OID))
