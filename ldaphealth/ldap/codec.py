"""Encoding of requests and decoding of responses (RFC 4511); the only module that uses ldap3.

session.py calls it. ldap3 encodes what no round sends, additions and controls of pages, and is
loaded for these only: it takes longer than a check. docs/architecture.md gives the reasons. Its
errors are not caught here: they mean settings that cannot be encoded. Responses are decoded with
ber.py, which checks the type of each value; a malformed one is a ValueError.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Any, Literal, TypeVar, overload

from msgspec import Struct

from ldaphealth.ldap import ber, search_filter, usual_form
from ldaphealth.ldap.result_codes import RESULT_CODES
from ldaphealth.model import BindMethod, Credentials
from ldaphealth.text.untyped import has_untyped

START_TLS_OID = "1.3.6.1.4.1.1466.20037"  # RFC 4511 4.14.1
WHO_AM_I_OID = "1.3.6.1.4.1.4203.1.11.3"  # RFC 4532 2
POST_READ_OID = "1.3.6.1.1.13.2"  # RFC 4527 3.2
PAGED_RESULTS_OID = "1.2.840.113556.1.4.319"  # RFC 2696 2
MANAGE_DSA_IT_OID = "2.16.840.1.113730.3.4.2"  # RFC 3296 3
SUCCESS, PROTOCOL_ERROR, COMPARE_FALSE, COMPARE_TRUE = 0, 2, 5, 6
SIZE_LIMIT_EXCEEDED, ADMIN_LIMIT_EXCEEDED = 4, 11
# Identifier octets of requests
BIND_REQUEST, SEARCH, MODIFY_REQUEST, COMPARE_REQUEST = 0x60, 0x63, 0x66, 0x6E
EXTENDED_REQUEST, REQUEST_NAME = 0x77, 0x80  # RFC 4511 4.12
SIMPLE, SASL = 0x80, 0xA3  # [0] and [3] of AuthenticationChoice, RFC 4511 4.2
REPLACE = b"\x0a\x01\x02"  # an operation of a modify, RFC 4511 4.6
# Tags of responses, [APPLICATION n] in RFC 4511
BIND, ENTRY, DONE, MODIFY, ADD, COMPARE = 1, 4, 5, 7, 9, 15
REFERENCE, EXTENDED, INTERMEDIATE = 19, 24, 25
RESPONSE, OF_RESPONSES = 0x60, 0xE0  # the class and form of their identifier octets, X.690 8.1.2
CONTROLS, REFERRAL = 0xA0, 0xA3  # [0] of LDAPMessage, [3] of LDAPResult
RESPONSE_VALUE = 0x8B  # [11] of ExtendedResponse, RFC 4511 4.12
# Requests of rounds: a dozen or two for each cluster, half a KiB each.
MOST_CACHED = 16_384
MOST_ATTRIBUTES = 10_000  # of an entry: an entry of 1 MiB could have 170,000

T = TypeVar("T")

Scope = Literal["base", "one", "sub", "subordinate"]
# RFC 4511 4.5.1.2; the last one is of draft-sermersheim-ldap-subordinate-scope
_SCOPES = {"base": 0, "one": 1, "sub": 2, "subordinate": 3}
Dereference = Literal["never", "searching", "finding", "always"]
_DEREFERENCES = {"never": 0, "searching": 1, "finding": 2, "always": 3}  # RFC 4511 4.5.1.3


class Attributes(Mapping[str, tuple[str, ...]]):
    """The values of an entry by the names that the server sent, in lower case.

    A name is found in any case (RFC 4512 1.4), and without the options that the server added, as in
    `userCertificate;binary` (2.5.2).
    """

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, tuple[str, ...]]) -> None:
        self._values = values

    def __getitem__(self, name: str) -> tuple[str, ...]:
        found = self._values.get(name)
        if found is not None:
            return found
        key = name.lower()
        if key in self._values:
            return self._values[key]
        optioned = [self._values[each] for each in self._values if each.startswith(f"{key};")]
        if not optioned:
            raise KeyError(name)
        return tuple(value for values in optioned for value in values)

    @overload
    def get(self, name: str, /, default: None = None) -> tuple[str, ...] | None: ...
    @overload
    def get(self, name: str, /, default: tuple[str, ...] | T) -> tuple[str, ...] | T: ...
    def get(self, name: str, /, default: object = None) -> object:
        """Return the values of an attribute; that of `Mapping` calls twice for each."""
        found = self._values.get(name)
        if found is not None:
            return found
        return super().get(name, default)

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
Controls = Mapping[str, bytes | None]  # values by OID


class Response(Struct, frozen=True):
    """One LDAPMessage: the content of its protocolOp, and the values of its controls by OID."""

    message_id: int
    tag: int
    payload: bytes
    controls: Controls


class Result(Struct, frozen=True):
    """The resultCode and the diagnostic message of an LDAPResult (RFC 4511 4.1.9).

    `value` is the responseValue of an extended response (4.12), empty if there is none.
    """

    code: int
    message: str
    value: bytes = b""

    @property
    def code_name(self) -> str:
        """Return the name of the result code in RFC 4511."""
        return str(RESULT_CODES.get(self.code, f"resultCode{self.code}"))


NO_CONTROLS: Controls = MappingProxyType({})
SUCCESS_ALONE = b"\x0a\x01\x00\x04\x00\x04\x00"  # a LDAPResult without anything else
SUCCEEDED = Result(SUCCESS, "")


def response(message: bytes) -> Response:
    """Decode one message (RFC 4511 4.1.1). Fields that no RFC names are ignored, as 4 requires."""
    usual = usual_form.read_envelope(message)
    if usual is not None and usual[1] & OF_RESPONSES == RESPONSE:
        return Response(usual[0], usual[1] & ~OF_RESPONSES, usual[2], NO_CONTROLS)
    return any_response(message)


def any_response(message: bytes) -> Response:
    """Decode a message of whatever form, as `response` does."""
    (outer,) = ber.elements(message)
    message_id, operation, *more = ber.inner(message, outer, ber.SEQUENCE)
    tag, start, stop = operation
    if tag & OF_RESPONSES != RESPONSE:
        raise ValueError(f"an element 0x{tag:02x} where a response must be")
    controls: Controls = {}
    for field in more:
        if field[0] == CONTROLS:
            controls = dict(_control(message, each) for each in ber.inner(message, field, CONTROLS))
    number = ber.decode_integer(message, message_id)
    return Response(number, tag & ~OF_RESPONSES, message[start:stop], controls)


def _control(message: bytes, element: ber.Element) -> tuple[str, bytes | None]:
    """Return the OID and the value of a control (RFC 4511 4.1.11)."""
    oid, *more = ber.inner(message, element, ber.SEQUENCE)
    if more and more[0][0] == ber.BOOLEAN:
        del more[0]
    value = ber.octets(message, more[0]) if more else None
    return ber.octets(message, oid).decode("ascii", "replace"), value


def result(payload: bytes) -> Result:
    """Decode an LDAPResult (RFC 4511 4.1.9), and what some responses have after it."""
    if payload == SUCCESS_ALONE:
        return SUCCEEDED
    code, matched_dn, message, *more = ber.elements(payload)
    ber.octets(payload, matched_dn)
    value = b""
    for field in more:
        if field[0] == REFERRAL:
            _check_uris(payload, ber.inner(payload, field, REFERRAL))
        elif field[0] == RESPONSE_VALUE:
            value = payload[field[1] : field[2]]
    text = ber.octets(payload, message).decode("utf-8", "replace")
    return Result(ber.decode_integer(payload, code, ber.ENUMERATED), text, value)


def check_reference(payload: bytes) -> None:
    """ValueError if it is no SearchResultReference (RFC 4511 4.5.3); referrals are not followed."""
    _check_uris(payload, ber.elements(payload))


def _check_uris(payload: bytes, uris: Iterable[ber.Element]) -> None:
    for each in uris:
        ber.octets(payload, each)


def entry(found: OctetsEntry) -> tuple[str, Attributes]:
    """Return an entry whose values are texts."""
    dn, attributes = found
    return dn, Attributes(
        {
            name: tuple([value.decode("utf-8", "replace") for value in values])
            for name, values in attributes.items()
        }
    )


def octets_entry(payload: bytes) -> OctetsEntry:
    """Decode a SearchResultEntry (RFC 4511 4.5.2)."""
    return usual_form.read_entry(payload) or any_entry(payload)


def any_entry(payload: bytes) -> OctetsEntry:
    """Decode an entry of whatever form, as `octets_entry` does."""
    dn, attributes = ber.elements(payload)
    pairs = ber.inner(payload, attributes, ber.SEQUENCE)
    if len(pairs) > MOST_ATTRIBUTES:
        raise ValueError(f"more than {MOST_ATTRIBUTES} attributes in an entry")
    return ber.octets(payload, dn).decode("utf-8", "replace"), dict(
        _attribute(payload, each) for each in pairs
    )


def _attribute(payload: bytes, pair: ber.Element) -> tuple[str, tuple[bytes, ...]]:
    name, values = ber.inner(payload, pair, ber.SEQUENCE)
    return ber.octets(payload, name).decode("ascii", "replace").lower(), tuple(
        ber.octets(payload, value) for value in ber.inner(payload, values, ber.SET)
    )


def post_read_entry(controls: Controls) -> Entry | None:
    """Return the entry in the post-read control of a response, None without one (RFC 4527 3.2)."""
    if POST_READ_OID not in controls:
        return None
    value = controls[POST_READ_OID] or b""
    ((tag, start, stop),) = ber.elements(value)
    if tag != RESPONSE | ENTRY:
        raise ValueError(f"an element 0x{tag:02x} where an entry must be")
    return entry(octets_entry(value[start:stop]))


def cookie(controls: Controls) -> bytes:
    """Return the cookie of the paged results control, empty after the last page (RFC 2696 2)."""
    if PAGED_RESULTS_OID not in controls:
        return b""
    value = controls[PAGED_RESULTS_OID] or b""
    (outer,) = ber.elements(value)
    size, found = ber.inner(value, outer, ber.SEQUENCE)
    ber.decode_integer(value, size)
    return ber.octets(value, found)


# Requests. Every round sends the same ones, so those without a secret or a token are cached.


def bind_request(credentials: Credentials) -> bytes:
    """Encode a bind (RFC 4511 4.2). The password is sent without SASLprep.

    Without ldap3, which takes 25 times as long: each session encodes it, because of the secret.

    RFC 4511 4.2 recommends that clients prepare textual passwords. Servers compare octets, and
    neither OpenLDAP's tools nor most clients prepare them: a password with a superscript or a
    combining accent that was set by ldappasswd(1) would never be accepted.
    """
    password = "" if credentials.password is None else credentials.password.reveal()
    if has_untyped(password):  # encode() would show it in its error
        raise ValueError("the password contains a control character, or is not UTF-8")
    name, authentication = "", ber.element(SIMPLE, b"")  # anonymous
    if credentials.method is BindMethod.SIMPLE:
        if not (credentials.dn and password):  # RFC 4513 5.1.2: servers accept anybody with it
            raise ValueError("a simple bind needs a DN and a password")
        name, authentication = credentials.dn, ber.octet_string(password, SIMPLE)
    elif credentials.method is BindMethod.EXTERNAL:  # RFC 4422, appendix A; the same identity
        authentication = ber.element(SASL, ber.octet_string("EXTERNAL") + ber.octet_string(""))
    version = ber.integer(3)
    return ber.element(BIND_REQUEST, version + ber.octet_string(name) + authentication)


@lru_cache(maxsize=MOST_CACHED)
def search_request(
    base: str, scope: Scope, filter_text: str, attributes: tuple[str, ...], size_limit: int
) -> bytes:
    """Encode a search that is sent again and again; aliases are not dereferenced."""
    return encode_search(base, scope, filter_text, attributes, size_limit)


def encode_search(  # noqa: PLR0913, PLR0917  those of a search
    base: str,
    scope: Scope,
    filter_text: str,
    attributes: tuple[str, ...],
    size_limit: int,
    dereference: Dereference = "never",
) -> bytes:
    """Encode a search (RFC 4511 4.5.1).

    Without ldap3, which changes spaces in a filter, and refuses `(&)`.
    """
    scope_and_deref = bytes((0x0A, 1, _SCOPES[scope], 0x0A, 1, _DEREFERENCES[dereference]))
    no_time_limit, types_only = ber.integer(0), b"\x01\x01\x00"
    fields = (
        ber.octet_string(base),
        scope_and_deref,
        ber.integer(size_limit),
        no_time_limit,
        types_only,
        search_filter.encode(filter_text),
        ber.element(ber.SEQUENCE, b"".join(ber.octet_string(each) for each in attributes)),
    )
    return ber.element(SEARCH, b"".join(fields))


def page_controls(page_size: int, cookie: bytes) -> bytes:
    """Encode the controls for one page; paging is critical (RFC 2696), ManageDsaIT is not."""
    from ldap3.protocol.controls import build_control  # noqa: PLC0415
    from ldap3.protocol.convert import build_controls_list  # noqa: PLC0415
    from ldap3.protocol.rfc2696 import paged_search_control  # noqa: PLC0415

    controls = [
        paged_search_control(criticality=True, size=page_size, cookie=cookie),
        build_control(MANAGE_DSA_IT_OID, False, None),
    ]
    return _encoded(build_controls_list(controls))


@lru_cache(maxsize=1024)
def compare_request(dn: str, attribute: str, value: str) -> bytes:
    """Encode a compare that is sent again and again."""
    return encode_compare(dn, attribute, value)


def encode_compare(dn: str, attribute: str, value: str) -> bytes:
    """Encode a compare (RFC 4511 4.10)."""
    assertion = ber.octet_string(attribute) + ber.octet_string(value)
    return ber.element(COMPARE_REQUEST, ber.octet_string(dn) + ber.element(ber.SEQUENCE, assertion))


def modify_request(dn: str, attribute: str, value: str) -> bytes:
    """Encode a modify that replaces all values by this one (RFC 4511 4.6)."""
    values = ber.octet_string(attribute) + ber.element(ber.SET, ber.octet_string(value))
    change = ber.element(ber.SEQUENCE, REPLACE + ber.element(ber.SEQUENCE, values))
    changes = ber.element(ber.SEQUENCE, change)
    return ber.element(MODIFY_REQUEST, ber.octet_string(dn) + changes)


@lru_cache(maxsize=64)
def post_read(attributes: tuple[str, ...]) -> bytes:
    """Encode the post-read control (RFC 4527); it is not critical."""
    wanted = ber.element(ber.SEQUENCE, b"".join(map(ber.octet_string, attributes)))
    control = ber.octet_string(POST_READ_OID) + ber.element(ber.OCTET_STRING, wanted)
    return ber.element(CONTROLS, ber.element(ber.SEQUENCE, control))


def add_request(dn: str, attributes: Mapping[str, Sequence[str]]) -> bytes:
    """Encode an add."""
    from ldap3.operation.add import add_operation  # noqa: PLC0415

    values = {name: list(of) for name, of in attributes.items()}
    return _encoded(add_operation(dn, values, auto_encode=True))


def _encoded(request: Any) -> bytes:
    """Encode what ldap3 has built."""
    from ldap3.utils import asn1  # noqa: PLC0415

    encoded: bytes = asn1.encode(request)
    return encoded


@cache
def who_am_i_request() -> bytes:
    """Encode the request for the own identity (RFC 4532)."""
    return _extended_request(WHO_AM_I_OID)


@cache
def start_tls_request() -> bytes:
    """Encode the request for StartTLS (RFC 4511 4.14.1)."""
    return _extended_request(START_TLS_OID)


def _extended_request(oid: str) -> bytes:
    """Encode an extended request without a value (RFC 4511 4.12)."""
    return ber.element(EXTENDED_REQUEST, ber.octet_string(oid, REQUEST_NAME))
