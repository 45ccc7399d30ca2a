"""One LDAP session as a client has it: connect, bind, operations, unbind; the only file with ldap3.

probe.py opens sessions, checks use them. ldap3 serves as the codec (RFC 4511 requests and
responses); the waiting is all in transport.py, because ldap3's own has no bound on a whole
operation. Every error leaves as SessionError; docs/architecture.md says what this protects from.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from time import perf_counter
from typing import Any, Literal, TypeVar
from unicodedata import category

from ldaphealth.deadline import Deadline, SessionError
from ldaphealth.endpoint import parse_uri
from ldaphealth.model import BindMethod, Credentials, Failure, Kind, Server
from ldaphealth.printable import printable
from ldaphealth.transport import BUDGET_BYTES, Certificate, Transport, connect, resolve

gc.disable()  # what loading ldap3 makes all stays: collecting meanwhile finds nothing to free
try:
    import ldap3
    from ldap3.core.results import RESULT_CODES
    from ldap3.operation.add import add_operation
    from ldap3.operation.bind import bind_operation
    from ldap3.operation.compare import compare_operation
    from ldap3.operation.extended import extended_operation
    from ldap3.operation.modify import modify_operation
    from ldap3.operation.search import search_operation
    from ldap3.protocol.controls import build_control
    from ldap3.protocol.convert import build_controls_list
    from ldap3.protocol.rfc2696 import paged_search_control
    from ldap3.protocol.rfc4527 import post_read_control
    from ldap3.utils import asn1
    from ldap3.utils.conv import escape_filter_chars
finally:
    gc.enable()

START_TLS_OID = "1.3.6.1.4.1.1466.20037"  # RFC 4511 4.14.1
POST_READ_OID = "1.3.6.1.1.13.2"  # RFC 4527 3.2
PAGED_RESULTS_OID = "1.2.840.113556.1.4.319"  # RFC 2696 2
MANAGE_DSA_IT_OID = "2.16.840.1.113730.3.4.2"  # RFC 3296 3
MOST_EMPTY_PAGES = 16  # one after the other; RFC 2696 allows a few, and a hostile server sends more
UNBIND = b"\x42\x00"  # [APPLICATION 2] NULL, RFC 4511 4.3
SUCCESS, SIZE_LIMIT_EXCEEDED, COMPARE_FALSE, COMPARE_TRUE = 0, 4, 5, 6
# Tags of responses, [APPLICATION n] in RFC 4511
BIND, ENTRY, DONE, MODIFY, ADD, COMPARE, REFERENCE, EXTENDED, INTERMEDIATE = (
    1,
    4,
    5,
    7,
    9,
    15,
    19,
    24,
    25,
)
UNTYPED = ("Cc", "Cs")  # categories of Unicode: control characters, surrogates
INTEGER_BYTES = 4  # maxInt is 2^31 - 1, RFC 4511 4.1.1

T = TypeVar("T")
Scope = Literal["base", "one", "sub"]
_SCOPES = {"base": ldap3.BASE, "one": ldap3.LEVEL, "sub": ldap3.SUBTREE}
Entry = tuple[str, Mapping[str, tuple[str, ...]]]  # DN, attributes with lower-case names


def _integer(message: bytes, start: int, stop: int, _: object = None) -> int:
    """Decode an INTEGER of at most four bytes.

    ldap3's own is quadratic in the length: 200 kB from a hostile server take 10 s of CPU.
    """
    if not 0 < stop - start <= INTEGER_BYTES:
        raise ValueError("an integer out of bounds")
    return int.from_bytes(message[start:stop], "big", signed=True)


asn1.DECODERS[0, 2] = asn1.DECODERS[0, 10] = _integer  # INTEGER, ENUMERATED


class Session:
    """One LDAP session with one server under one deadline and one byte budget.

    Every method raises SessionError and nothing else. After a failure with `alive` False no
    operation can follow. `timings` holds the seconds of each step since it was last emptied,
    `totals` those since the session began, and `counts` how many operations were answered.
    """

    def __init__(
        self, server: Server, deadline: Deadline, budget_bytes: int = BUDGET_BYTES
    ) -> None:
        self.server = server
        self.deadline = deadline
        self.timings: dict[str, float] = {}
        self.totals: dict[str, float] = {}
        self.counts: dict[str, int] = {}
        self._budget_bytes = budget_bytes
        self._transport: Transport | None = None
        self._message_id = 0

    @property
    def alive(self) -> bool:
        """Tell whether an operation can still be sent."""
        return self._transport is not None

    def connect(self) -> None:
        """Resolve, connect and start TLS as the server's settings say."""
        try:
            endpoint = parse_uri(self.server.uri)
        except ValueError as error:
            raise SessionError(Failure(Kind.BUG, printable(str(error)), ours=True)) from error
        addresses = self._timed("resolve", lambda: resolve(endpoint, self.deadline))
        sock = self._timed("connect", lambda: connect(addresses, self.deadline))
        transport = self._transport = Transport(sock, self.deadline, self._budget_bytes)
        tls = self.server.tls
        if tls.start_tls:
            request = _encode(extended_operation(START_TLS_OID))
            self._expect_success(Kind.RESULT, "start_tls", request, EXTENDED, fatal=True)
        if tls.start_tls or endpoint.is_tls:
            self._timed("tls", lambda: transport.start_tls(tls, endpoint.host))

    def bind(self) -> None:
        """Authenticate with the server's credentials (RFC 4513)."""
        try:
            request = self._request(_bind_request, self.server.credentials)
        except SessionError:
            self.close()  # else the checks that follow run as nobody, and blame the server
            raise
        self._expect_success(Kind.BIND, "bind", request, BIND, fatal=True)

    def search(
        self,
        base: str,
        scope: Scope,
        filter_text: str,
        attributes: Sequence[str],
        size_limit: int = 0,
    ) -> tuple[Entry, ...]:
        """Return the entries found, at most `size_limit` unless 0; referrals are not followed.

        Values that are not UTF-8 come back with replacement characters.
        """
        request = self._request(
            _search_request, base, scope, filter_text, (*attributes,), size_limit
        )
        entries: list[Entry] = []
        code, payload = self._exchange("search", request, DONE, entries)
        full = code == SIZE_LIMIT_EXCEEDED and 0 < size_limit <= len(entries)
        if code != SUCCESS and not full:
            raise self._refused(Kind.RESULT, f"search below {base!r}", code, payload)
        return tuple(entries)

    def renew(self, deadline: Deadline) -> None:
        """Begin another deadline and the byte budget anew, for a session that reads much."""
        self._living().renew(deadline, self._budget_bytes)
        self.deadline = deadline

    def pages(
        self,
        base: str,
        scope: Scope,
        filter_text: str,
        attributes: Sequence[str],
        page_size: int,
    ) -> Iterator[tuple[Entry, ...]]:
        """Yield the entries found page by page (RFC 2696); referral entries are entries too.

        Deadline and byte budget hold for all pages together unless the caller renews them between
        two, and then bounds how many it takes. A size limit of the server raises SessionError with
        sizeLimitExceeded, after what it sent has been yielded.
        """
        request = self._request(_search_request, base, scope, filter_text, (*attributes,), 0)
        cookie, empty = b"", 0
        while empty < MOST_EMPTY_PAGES:
            entries: list[Entry] = []
            controls = self._request(_page_controls, page_size, cookie)
            code, payload, answered = self._converse("search", request, DONE, entries, controls)
            if entries:
                yield tuple(entries)
            if code != SUCCESS:
                raise self._refused(Kind.RESULT, f"search below {base!r}", code, payload)
            cookie = self._decoded(_cookie, answered)
            if not cookie:
                return
            empty = 0 if entries else empty + 1
        raise SessionError(Failure(Kind.PROTOCOL, "the server sends empty pages without end"))

    def read(self, dn: str, attributes: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        """Return the attributes of one entry; noSuchObject when it is not there or not for us.

        A server that hides an entry answers success with no entry (RFC 4511 4.5.2); the two are
        the same to a client, so they are the same here.
        """
        entries = self.search(dn, "base", "(objectClass=*)", attributes)
        if not entries:
            detail = f"{printable(dn)}: no such entry, or no right to read it"
            raise SessionError(Failure(Kind.RESULT, detail, "noSuchObject"))
        return entries[0][1]

    def compare(self, dn: str, attribute: str, value: str) -> bool:
        """Tell whether the entry holds the value (RFC 4511 4.10)."""
        request = self._request(_compare_request, dn, attribute, value)
        code, payload = self._exchange("compare", request, COMPARE)
        if code not in (COMPARE_TRUE, COMPARE_FALSE):
            raise self._refused(Kind.RESULT, f"compare on {dn!r}", code, payload)
        return code == COMPARE_TRUE

    def replace(self, dn: str, attribute: str, value: str) -> None:
        """Make the value the only one of the attribute."""
        request = self._request(_modify_request, dn, attribute, value)
        self._expect_success(Kind.RESULT, "modify", request, MODIFY)

    def replace_and_read(
        self, dn: str, attribute: str, value: str, wanted: Sequence[str]
    ) -> Mapping[str, tuple[str, ...]]:
        """Make the value the only one, and return attributes as this very change left them.

        The post-read control (RFC 4527) brings both in one answer. It is not critical: a server
        that does not know it does the change, and the entry is read after it.
        """
        request = self._request(_modify_request, dn, attribute, value)
        control = self._request(_post_read, (*wanted,))
        answered = self._expect_success(Kind.RESULT, "modify", request, MODIFY, controls=control)
        found = self._decoded(_post_read_entry, answered)
        return self.read(dn, wanted) if found is None else found[1]

    def add(self, dn: str, attributes: Mapping[str, Sequence[str]]) -> None:
        """Add an entry."""
        request = self._request(_add_request, dn, attributes)
        self._expect_success(Kind.RESULT, "add", request, ADD)

    def certificate(self) -> Certificate | None:
        """Return what the server presented in the TLS handshake; None in the clear."""
        return self._living().certificate()

    def unbind(self) -> None:
        """Say goodbye; the server answers nothing (RFC 4511 4.3)."""
        transport = self._living()
        try:
            self._timed("unbind", lambda: transport.send(self._envelope(UNBIND), "unbind"))
        finally:
            self.close()

    def close(self) -> None:
        """Free the socket; safe to call at any time, any number of times."""
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    def _living(self) -> Transport:
        if self._transport is None:
            raise SessionError(Failure(Kind.BUG, "the session is not open", ours=True))
        return self._transport

    def _timed(self, operation: str, run: Callable[[], Any]) -> Any:
        started = perf_counter()
        try:
            return run()
        except SessionError:
            self.close()
            raise
        finally:
            spent = perf_counter() - started
            for times in (self.timings, self.totals):
                times[operation] = times.get(operation, 0.0) + spent

    def _request(self, encode: Callable[..., bytes], *arguments: Any) -> bytes:
        """Encode a request; what cannot be encoded is a mistake in our settings."""
        try:
            return encode(*arguments)
        except Exception as error:  # ldap3 and pyasn1 raise what they like, RecursionError too
            what = printable(str(error)) or type(error).__name__
            detail = f"cannot make a request of the settings: {what}"
            raise SessionError(Failure(Kind.BUG, detail, ours=True)) from error

    def _envelope(self, protocol_op: bytes, controls: bytes = b"") -> bytes:
        """Wrap a request into an LDAPMessage with the next message ID (RFC 4511 4.1.1)."""
        self._message_id += 1
        body = b"\x02\x02" + self._message_id.to_bytes(2, "big") + protocol_op + controls
        return b"\x30" + _length(len(body)) + body

    def _exchange(
        self, operation: str, request: bytes, final: int, entries: list[Entry] | None = None
    ) -> tuple[int, Any]:
        """Send one request; return the result code and the payload of its final response."""
        code, payload, _ = self._converse(operation, request, final, entries)
        return code, payload

    def _converse(
        self,
        operation: str,
        request: bytes,
        final: int,
        entries: list[Entry] | None = None,
        controls: bytes = b"",
    ) -> tuple[int, Any, Any]:
        """Do the same with controls, and return those of the final response (RFC 4511 4.1.11)."""
        transport = self._living()

        def run() -> tuple[int, Any, Any]:
            transport.send(self._envelope(request, controls), operation)
            while True:
                tag, payload, answered = self._response(transport.receive(operation))
                try:
                    if tag == final:
                        return payload[0][3], payload, answered
                    if tag == ENTRY and entries is not None:
                        entries.append(_entry(payload))
                        continue
                except Exception as error:
                    raise _malformed(error) from error
                if tag not in (REFERENCE, INTERMEDIATE) or entries is None:
                    detail = f"the server answered {operation} with something else"
                    raise SessionError(Failure(Kind.PROTOCOL, detail))

        result: tuple[int, Any, Any] = self._timed(operation, run)
        self.counts[operation] = self.counts.get(operation, 0) + 1
        return result

    def _response(self, message: bytes) -> tuple[int, Any, Any]:
        """Decode one message that must answer our latest request: tag, payload, controls."""
        try:
            decoded = asn1.decode_message_fast(message)
            message_id, tag = decoded["messageID"], decoded["protocolOp"]
            payload, controls = decoded["payload"], decoded["controls"]
        except Exception as error:  # hostile bytes make ldap3 raise what they like
            raise _malformed(error) from error
        if message_id == 0 and tag == EXTENDED:
            raise _disconnected(payload)
        if message_id != self._message_id:
            detail = f"an answer to message {message_id}, which was not asked"
            raise SessionError(Failure(Kind.PROTOCOL, detail))
        return tag, payload, controls

    def _expect_success(  # noqa: PLR0913  all of one operation
        self,
        kind: Kind,
        operation: str,
        request: bytes,
        final: int,
        *,
        fatal: bool = False,
        controls: bytes = b"",
    ) -> Any:
        """Do one operation, and return the controls of its answer.

        `fatal`: after a refusal the session is of no use.
        """
        code, payload, answered = self._converse(operation, request, final, controls=controls)
        if code != SUCCESS:
            if fatal:
                self.close()
            raise self._refused(kind, operation, code, payload)
        return answered

    def _decoded(self, decode: Callable[[Any], T], controls: Any) -> T:
        """Decode a control of an answer; one that is not in form ends the session."""
        try:
            return decode(controls)
        except Exception as error:  # as in `_response`
            self.close()
            raise _malformed(error) from error

    def _refused(self, kind: Kind, doing: str, code: int, payload: Any) -> SessionError:
        """Return the error for a result code; the server's message is shown, made harmless."""
        name = RESULT_CODES.get(code, f"resultCode{code}")
        try:
            message = bytes(payload[2][3]).decode("utf-8", "replace")
        except (IndexError, TypeError, ValueError):
            message = ""
        detail = printable(f"{doing}: {name}" + (f" ({message})" if message else ""))
        return SessionError(Failure(kind, detail, name))


def open_session(server: Server, deadline: Deadline, budget_bytes: int | None = None) -> Session:
    """Return a session that is connected and bound; SessionError leaves nothing open."""
    session = Session(server, deadline, budget_bytes or BUDGET_BYTES)
    try:
        session.connect()
        session.bind()
    except BaseException:
        session.close()
        raise
    return session


def _malformed(error: Exception) -> SessionError:
    detail = f"what the server sent is not LDAP: {printable(str(error)) or type(error).__name__}"
    return SessionError(Failure(Kind.PROTOCOL, detail))


def _disconnected(payload: Any) -> SessionError:
    """Return the error for a Notice of Disconnection (RFC 4511 4.4.1)."""
    try:
        name = RESULT_CODES.get(payload[0][3], "")
    except (IndexError, TypeError):
        name = ""
    detail = f"the server disconnects: {name or 'no reason given'}"
    return SessionError(Failure(Kind.CONNECT, detail, name))


def _entry(payload: Any) -> Entry:
    """Return a decoded SearchResultEntry (RFC 4511 4.5.2)."""
    dn = bytes(payload[0][3]).decode("utf-8", "replace")
    attributes = {
        bytes(attribute[3][0][3]).decode("ascii", "replace").lower(): tuple(
            bytes(value[3]).decode("utf-8", "replace") for value in attribute[3][1][3]
        )
        for attribute in payload[1][3]
    }
    return dn, attributes


def _control(controls: Any, oid: str) -> bytes | None:
    """Return the value of a control that came with an answer, None without it (4.1.11)."""
    for _, _, _, fields in controls or ():
        if bytes(fields[0][3]) == oid.encode():
            return bytes(fields[-1][3])
    return None


def _post_read_entry(controls: Any) -> Entry | None:
    """Return the entry in the answer's post-read control, None without one (RFC 4527 3.2)."""
    value = _control(controls, POST_READ_OID)
    if value is None:
        return None
    (entry,) = asn1.decode_sequence(value, 0, len(value))
    return _entry(entry[3])


def _cookie(controls: Any) -> bytes:
    """Return the cookie of the paged results control, empty after the last page (RFC 2696 2)."""
    value = _control(controls, PAGED_RESULTS_OID)
    if value is None:
        return b""
    ((_, _, _, (_, cookie)),) = asn1.decode_sequence(value, 0, len(value))
    return bytes(cookie[3])


def _length(size: int) -> bytes:
    """Encode a BER length (X.690 8.1.3)."""
    if size < 0x80:  # noqa: PLR2004  short form
        return bytes((size,))
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((0x80 | len(octets),)) + octets


# Requests. Encoding costs ldap3 three times what receiving and decoding does, and a round sends the
# same ones every time, so what holds no secret and no token is encoded once.


def _encode(request: Any) -> bytes:
    encoded: bytes = asn1.encode(request)
    return encoded


def _bind_request(credentials: Credentials) -> bytes:
    """Encode a bind. A password goes as it was typed: as octets, ldap3 does not prepare it.

    RFC 4511 4.2: clients should prepare what they take for text by SASLprep. Servers compare
    octets, and neither OpenLDAP's tools nor most clients do: a password with a superscript or an
    accent of its own, set by ldappasswd(1), would never be accepted.
    """
    password = "" if credentials.password is None else credentials.password.reveal()
    if any(category(each) in UNTYPED for each in password):  # encoding would show it in the error
        raise ValueError("the password has a control character in it, or is not UTF-8")
    if credentials.method is BindMethod.SIMPLE:
        octets = password.encode()
        request = bind_operation(3, ldap3.SIMPLE, credentials.dn, octets, auto_encode=True)
    elif credentials.method is BindMethod.EXTERNAL:
        request = bind_operation(3, ldap3.SASL, "", None, ldap3.EXTERNAL, "")
    else:
        request = bind_operation(3, ldap3.ANONYMOUS)
    return _encode(request)


@lru_cache(maxsize=1024)
def _search_request(
    base: str, scope: Scope, filter_text: str, attributes: tuple[str, ...], size_limit: int
) -> bytes:
    deref, seconds, types_only, escape, encode = ldap3.DEREF_NEVER, 0, False, True, True
    return _encode(
        search_operation(
            base, filter_text, _SCOPES[scope], deref, attributes, size_limit, seconds, types_only,
            escape, encode,
        )
    )  # fmt: skip


def _page_controls(page_size: int, cookie: bytes) -> bytes:
    """Ask for one page; a server that cannot page must not answer at all (critical)."""
    controls = [
        paged_search_control(criticality=True, size=page_size, cookie=cookie),
        build_control(MANAGE_DSA_IT_OID, False, None),
    ]
    return _encode(build_controls_list(controls))


@lru_cache(maxsize=1024)
def _compare_request(dn: str, attribute: str, value: str) -> bytes:
    return _encode(compare_operation(dn, attribute, value, auto_encode=True))


def _modify_request(dn: str, attribute: str, value: str) -> bytes:
    changes = {attribute: [(ldap3.MODIFY_REPLACE, [value])]}
    return _encode(modify_operation(dn, changes, auto_encode=True))


@lru_cache(maxsize=64)
def _post_read(attributes: tuple[str, ...]) -> bytes:
    return _encode(build_controls_list([post_read_control([*attributes])]))


def _add_request(dn: str, attributes: Mapping[str, Sequence[str]]) -> bytes:
    return _encode(add_operation(dn, {k: list(v) for k, v in attributes.items()}, auto_encode=True))


def escape_filter(value: str) -> str:
    """Escape a value for a filter (RFC 4515 3)."""
    escaped: str = escape_filter_chars(value)
    return escaped
