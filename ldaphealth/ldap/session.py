"""An LDAP session: connect, bind, operations, unbind.

rounds/probe.py opens sessions, checks use them. codec.py encodes requests and decodes responses;
all waiting is in transport.py. Every error is raised as SessionError.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from math import inf
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from ldaphealth.clocks import MonotonicSeconds, RunningSeconds, whole_microseconds
from ldaphealth.ldap import codec
from ldaphealth.ldap.accounts import Accounts
from ldaphealth.ldap.codec import Attributes, Controls, Entry, OctetsEntry, Result, Scope
from ldaphealth.ldap.deadline import Deadline, SessionError
from ldaphealth.ldap.encoded_flights import EncodedFlights
from ldaphealth.ldap.endpoint import parse_uri
from ldaphealth.ldap.message_layer import EncodedRequest, MessageLayer, decoded
from ldaphealth.ldap.names import ALL_ENTRIES, NO_ATTRIBUTES, is_attribute
from ldaphealth.ldap.password_policy import (
    LONGEST_SENTENCE,
    NOTHING,
    PolicyAnswer,
    account_sentence,
)
from ldaphealth.ldap.read_only import ReadOnlySession
from ldaphealth.ldap.resolver import resolve
from ldaphealth.ldap.sentences import START_TLS, bind_by, on, refused_sentence, wrong_port
from ldaphealth.ldap.simple_bind import BindExchange, simple_bind
from ldaphealth.ldap.transport import BUDGET_BYTES, Transport, connect
from ldaphealth.model import BindMethod, Failure, FailureKind, Server
from ldaphealth.text.printable import printable

if TYPE_CHECKING:
    from ldaphealth.ldap.tls_stream import Certificate

MOST_EMPTY_PAGES = 16  # in a row; RFC 2696 permits some, but a hostile server may never end
ROOT_DSE = ("monitorContext", "supportedControl")
# The header of a connection that is for the receiver itself, as health checks are: the signature,
# version 2 and the command LOCAL, no address family, no addresses (2.2 of
# https://www.haproxy.org/download/2.6/doc/proxy-protocol.txt).
PROXY_LOCAL = b"\r\n\r\n\x00\r\nQUIT\n" + b"\x20\x00\x00\x00"

COUNTED_ENTRY_BYTES = 1024  # its DN, and 20 octets

RESTRICTED = ("insufficientAccessRights", "unwillingToPerform", "constraintViolation")

T = TypeVar("T")


class Count(Struct, frozen=True):
    """The number of entries that a search found; there may be more if a limit ended it.

    `limited_by_server`: it was a limit of the server, and not one in the request or on bytes.
    """

    entries: int
    limited: bool
    limited_by_server: bool = False


class Session:
    """One LDAP session with one server under one deadline and one byte budget.

    Every method raises SessionError and nothing else. If `alive` is False after a failure, no
    operation can follow: it would raise the same failure. `timings` has the seconds of each step
    since it was last cleared, `totals` those since the session began, and `counts` the number of
    operations answered, and of unbinds sent. `policy` is what the server said of the account when
    it bound. `accounts` limits how often a password is tried that was refused; without it this
    session tries once.

    The time of an operation is that from when its flight was sent to its final response. Operations
    of one flight overlap, and what overlaps counts once. `flight_began` is when the oldest flight
    was sent whose answers were used; the probe sets it back with `timings`.
    """

    def __init__(
        self,
        server: Server,
        deadline: Deadline,
        budget_bytes: int = BUDGET_BYTES,
        accounts: Accounts | None = None,
    ) -> None:
        self.server = server
        self.policy = NOTHING
        self.accounts = accounts or Accounts()
        self.deadline = deadline
        self.timings: dict[str, float] = {}
        self.totals: dict[str, float] = {}
        self.counts: dict[str, int] = {}
        self.flight_began: MonotonicSeconds = inf
        self._counted_until: tuple[dict[str, RunningSeconds], ...] = ({}, {})  # timings, totals
        self._budget_bytes = budget_bytes
        self._messages: MessageLayer | None = None  # of the open connection
        self._ended_by: Failure | None = None  # what ended it, so that no operation can follow
        self._has_answer = False  # whether the server has sent an LDAP response
        self._planned: dict[bytes, Sequence[EncodedRequest]] = {}
        self._read_once: dict[Hashable, Any] = {}

    @property
    def alive(self) -> bool:
        """Return whether an operation can still be sent."""
        return self._messages is not None

    def plan(self, flights: EncodedFlights) -> None:
        """Take the requests that will be made: a flight is sent when one of it is made.

        The others of it are then answered without being sent again. Flights are sent in this order,
        each once, also if the session goes on with another connection.
        """
        self._planned = {**flights}

    def connect(self) -> None:
        """Resolve the host, connect, and start TLS if the server's settings require it.

        The header of the PROXY protocol comes before TLS, as the protocol demands.
        """
        try:
            endpoint = parse_uri(self.server.uri)
        except ValueError as error:
            raise SessionError(
                Failure(FailureKind.BUG, printable(str(error)), is_local=True)
            ) from error
        addresses = self._timed("resolve", lambda: resolve(endpoint, self.deadline))
        sock = self._timed("connect", lambda: connect(addresses, self.deadline))
        transport = Transport(sock, self.deadline, self._budget_bytes)
        self._messages = MessageLayer(transport, self._planned, self.counts)
        if self.server.proxy_protocol or endpoint.has_proxy_protocol:
            self._timed(
                "connect", lambda: transport.send(PROXY_LOCAL, "the header of the PROXY protocol")
            )
        self._ended_by = None
        tls = self.server.tls
        if tls.start_tls:
            request = codec.start_tls_request()
            self._expect_success(
                FailureKind.RESULT, "start_tls", request, codec.EXTENDED, START_TLS, fatal=True
            )
        if tls.start_tls or endpoint.is_tls:
            name = self.server.server_name or endpoint.host
            self._timed("tls", lambda: transport.start_tls(tls, self.server.uri, name))

    def bind(self) -> PolicyAnswer:
        """Authenticate with the server's credentials (RFC 4513), and return what it says of them.

        A password that was refused is not tried again at once (accounts.py). Then the root DSE is
        read without a bind, so that a server that gives no LDAP service is still found.
        """
        try:
            request = self._request(codec.bind_request, self.server.credentials)
        except SessionError as error:
            self._end(error.failure)  # else the checks that follow run as anonymous, and fail
            raise
        if self.server.credentials.method is not BindMethod.SIMPLE:
            what = bind_by(self.server.credentials)
            self._expect_success(FailureKind.BIND, "bind", request, codec.BIND, what, fatal=True)
            return NOTHING
        try:
            refused = self.accounts.begin(self.server, self.deadline)
            if refused is None:
                self.policy = simple_bind(self.server, self.accounts, self._bind_exchange(request))
                return self.policy
            self._request_root_dse()
        except SessionError as error:
            self._end(error.failure)
            raise
        self._end(refused)
        raise SessionError(refused)

    def _bind_exchange(self, request: bytes) -> BindExchange:
        what = bind_by(self.server.credentials)
        return lambda controls: self._exchange(
            "bind", request, codec.BIND, controls=controls, what=what
        )

    def _request_root_dse(self) -> None:
        """Have the server answer a search; SessionError without LDAP service."""
        request = self._request(codec.search_request, "", "base", ALL_ENTRIES, (NO_ATTRIBUTES,), 0)
        result, _ = self._exchange("search", request, codec.DONE, lambda _: None)
        if result.code_name in ("busy", "unavailable"):
            raise self._refused(FailureKind.RESULT, "the search of the root DSE", result)

    def search(
        self,
        base: str,
        scope: Scope,
        filter_text: str,
        attributes: Sequence[str],
        size_limit: int = 0,
    ) -> tuple[Entry, ...]:
        """Return the entries found, at most `size_limit` unless 0; referrals are not followed.

        Values that are not UTF-8 come back with replacement characters. Names of attributes are as
        the server sends them, and found in any case; if one attribute is requested, all that comes
        back is under its name (`codec.Attributes`).
        """
        request = self._request(
            codec.search_request, base, scope, filter_text, (*attributes,), size_limit
        )
        entries: list[tuple[str, Attributes]] = []
        what = on("search below", base)
        result, _ = self._exchange("search", request, codec.DONE, _appending_to(entries), what=what)
        full = result.code == codec.SIZE_LIMIT_EXCEEDED and 0 < size_limit <= len(entries)
        if result.code != codec.SUCCESS and not full:
            raise self._refused(FailureKind.RESULT, what, result)
        if len(attributes) == 1 and is_attribute(attributes[0]):
            name = attributes[0].lower()
            return tuple((dn, found.all_as(name)) for dn, found in entries)
        return tuple(entries)

    def count(self, base: str, scope: Scope, filter_text: str, size_limit: int) -> Count:
        """Return how many entries a search finds, up to `size_limit`; their values are not sent.

        A limit of the server, or on the bytes of so many entries, ends the count and is no failure,
        unless nothing was counted. After the latter the session begins anew on another connection.
        A server that sends more entries than `size_limit`, and does not end, is a failure.
        """
        request = self._request(
            codec.search_request, base, scope, filter_text, (NO_ATTRIBUTES,), size_limit
        )
        counted, what = 0, on("search below", base)

        def count_entry(_: OctetsEntry) -> None:
            nonlocal counted
            counted += 1

        try:
            with self._connected().transport.extra_bytes(size_limit * COUNTED_ENTRY_BYTES):
                result, _ = self._exchange("search", request, codec.DONE, count_entry, what=what)
        except SessionError as error:
            if error.failure.kind is not FailureKind.TOO_LARGE or not 0 < counted <= size_limit:
                raise
            self.connect()
            self.bind()
            return Count(counted, limited=True)
        is_limit = result.code in (codec.SIZE_LIMIT_EXCEEDED, codec.ADMIN_LIMIT_EXCEEDED)
        limited = counted > 0 and is_limit
        if result.code != codec.SUCCESS and not limited:
            raise self._refused(FailureKind.RESULT, what, result)
        return Count(counted, limited, limited_by_server=limited and counted < size_limit)

    def search_once(
        self, base: str, scope: Scope, filter_text: str, attributes: Sequence[str]
    ) -> tuple[Entry, ...]:
        """Return what the same search found before in this session; search if it was not done.

        Checks that need the same entries share one search. A failure is raised again.
        """
        key = (base, scope, filter_text, (*attributes,))
        return self.once(key, lambda: self.search(base, scope, filter_text, attributes))

    def renew(self, deadline: Deadline) -> None:
        """Set a new deadline and reset the byte budget, for a session that reads much."""
        self._connected().transport.renew(deadline, self._budget_bytes)
        self.deadline = deadline

    def pages(  # noqa: PLR0913, PLR0917  those of a search
        self,
        base: str,
        scope: Scope,
        filter_text: str,
        attributes: Sequence[str],
        page_size: int,
        reduced: Callable[[OctetsEntry], T],
    ) -> Iterator[tuple[T, ...]]:
        """Yield the entries found page by page (RFC 2696), including referral entries.

        `reduced` returns what is kept of an entry. It is called as soon as the entry arrives, so
        the values of a page are never in memory together.

        Deadline and byte budget are for all pages together, unless the caller renews them between
        pages; the caller must then limit the number of pages. At a size limit of the server,
        SessionError with sizeLimitExceeded follows the entries that were sent.
        """
        request = self._request(codec.encode_search, base, scope, filter_text, (*attributes,), 0)
        cookie, empty, what = b"", 0, on("search below", base)
        while empty < MOST_EMPTY_PAGES:
            entries: list[T] = []
            controls = self._request(codec.page_controls, page_size, cookie)

            def keep(entry: OctetsEntry, entries: list[T] = entries) -> None:
                entries.append(reduced(entry))

            result, returned = self._exchange("search", request, codec.DONE, keep, controls, what)
            if entries:
                yield tuple(entries)
            if result.code != codec.SUCCESS:
                raise self._refused(FailureKind.RESULT, what, result)
            cookie = self._decoded(codec.cookie, returned)
            if not cookie:
                return
            empty = 0 if entries else empty + 1
        detail = f"the server sent {MOST_EMPTY_PAGES} empty pages in a row"
        raise SessionError(Failure(FailureKind.PROTOCOL, detail))

    def read(self, dn: str, attributes: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        """Return the attributes of one entry; noSuchObject if it does not exist or is hidden.

        A server that hides an entry returns success without an entry (RFC 4511 4.5.2). A client
        cannot distinguish the two.
        """
        return _only(dn, self.search(dn, "base", ALL_ENTRIES, attributes))

    def read_once(self, dn: str, attributes: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        """Return what `read` returns, from the same read before in this session if there is one."""
        return _only(dn, self.search_once(dn, "base", ALL_ENTRIES, attributes))

    def root_dse(self) -> Mapping[str, tuple[str, ...]]:
        """Return the attributes ROOT_DSE of the root DSE (RFC 4512 5.1), read once in a session.

        It is empty if the account may not read it.
        """
        return self.once("root DSE", self._read_root_dse)

    def _read_root_dse(self) -> Mapping[str, tuple[str, ...]]:
        found = self.search("", "base", ALL_ENTRIES, ROOT_DSE)
        return found[0][1] if found else {}

    @property
    def known_root_dse(self) -> Mapping[str, tuple[str, ...]] | None:
        """Return what `root_dse` has read in this session, None if it was not called."""
        found = self._read_once.get("root DSE")
        return None if isinstance(found, Failure) else found

    def once(self, key: Hashable, read: Callable[[], T]) -> T:
        """Return what the first call with that key in this session read, or raise its error."""
        if key not in self._read_once:
            try:
                self._read_once[key] = read()
            except SessionError as error:
                self._read_once[key] = error.failure  # the error has this session: a cycle
                raise
        found: T | Failure = self._read_once[key]
        if isinstance(found, Failure):
            raise SessionError(found)
        return found

    def compare(self, dn: str, attribute: str, value: str) -> bool:
        """Return whether the entry holds the value (RFC 4511 4.10)."""
        request = self._request(codec.compare_request, dn, attribute, value)
        what = on("compare on", dn)
        result, _ = self._exchange("compare", request, codec.COMPARE, what=what)
        if result.code not in (codec.COMPARE_TRUE, codec.COMPARE_FALSE):
            raise self._refused(FailureKind.RESULT, what, result)
        return result.code == codec.COMPARE_TRUE

    def who_am_i(self) -> str | None:
        """Return the identity that the server has for this session, an authzId (RFC 4532 2.2).

        It is "" for an anonymous one, else `dn:` and a DN, or `u:` and the name of a user. None:
        the server does not know the operation (RFC 4511 4.12).
        """
        request = self._request(codec.who_am_i_request)
        what = "the operation Who am I? (RFC 4532)"
        result, _ = self._exchange("whoami", request, codec.EXTENDED, what=what)
        self.counts["extended"] = self.counts.get("extended", 0) + 1
        if result.code == codec.PROTOCOL_ERROR:
            return None
        if result.code != codec.SUCCESS:
            raise self._refused(FailureKind.RESULT, what, result)
        return result.value.decode("utf-8", "replace")

    def read_only(self) -> ReadOnlySession:
        """Return a view of the session that can send searches and compares only."""
        return ReadOnlySession(self._request, self._exchange, self.deadline.now)

    def replace(self, dn: str, attribute: str, value: str) -> None:
        """Replace all values of the attribute by this one."""
        request = self._request(codec.modify_request, dn, attribute, value)
        what = on("modification of", dn)
        self._expect_success(FailureKind.RESULT, "modify", request, codec.MODIFY, what)

    def replace_and_read(
        self, dn: str, attribute: str, value: str, wanted: Sequence[str]
    ) -> Mapping[str, tuple[str, ...]]:
        """Replace all values by this one, and return attributes of the entry after the change.

        It uses the post-read control (RFC 4527). The control is not critical: if the server does
        not support it, the entry is read after the change.
        """
        request = self._request(codec.modify_request, dn, attribute, value)
        control = self._request(codec.post_read, (*wanted,))
        returned = self._expect_success(
            FailureKind.RESULT,
            "modify",
            request,
            codec.MODIFY,
            on("modification of", dn),
            controls=control,
        )
        found = self._decoded(codec.post_read_entry, returned)
        return self.read(dn, wanted) if found is None else found[1]

    def add(self, dn: str, attributes: Mapping[str, Sequence[str]]) -> None:
        """Add an entry."""
        request = self._request(codec.add_request, dn, attributes)
        what = on("addition of", dn)
        self._expect_success(FailureKind.RESULT, "add", request, codec.ADD, what)

    def certificate(self) -> Certificate | None:
        """Return the certificate of the TLS handshake; None without TLS."""
        return self._connected().transport.certificate()

    def unbind(self) -> None:
        """End the session; an unbind has no response (RFC 4511 4.3)."""
        messages = self._connected()
        try:
            self._timed("unbind", messages.send_unbind)
            self.counts["unbind"] = self.counts.get("unbind", 0) + 1
            messages.transport.keep_tls_session()
        finally:
            self.close()

    def close(self) -> None:
        """Close the socket; it may be called at any time, and repeatedly."""
        if self._messages is not None:
            self._messages.transport.close()
            self._messages = None

    def _connected(self) -> MessageLayer:
        if self._messages is None:
            not_open = Failure(FailureKind.BUG, "the session is not open", is_local=True)
            raise SessionError(self._ended_by or not_open)
        return self._messages

    def _end(self, failure: Failure) -> None:
        """Close the socket after a failure; a check may hide it that can do without the answer."""
        self._ended_by = failure
        self.close()

    def _timed(self, operation: str, run: Callable[[], Any]) -> Any:
        began = self.deadline.now()
        try:
            return run()
        except SessionError as error:
            self._fail(error)
            raise
        finally:
            self._count_time(operation, began, self.deadline.now())

    def _fail(self, error: SessionError) -> None:
        """End the session, and complete the failure by what is known of the server."""
        if self._messages is not None and self._messages.has_answer:
            self._has_answer = True
        detail = error.failure.detail + self._port_hint(error.failure)
        error.failure = replace(error.failure, detail=detail, answered=self._has_answer)
        self._end(error.failure)

    def _count_time(self, operation: str, began: RunningSeconds, ended: RunningSeconds) -> None:
        """Add the time of an operation, without what was counted for another one of its flight."""
        of_timings, of_totals = self._counted_until
        _add_time(self.timings, of_timings, operation, began, ended)
        _add_time(self.totals, of_totals, operation, began, ended)

    def _port_hint(self, failure: Failure) -> str:
        """Return the end of a sentence on a server that has sent no LDAP, by its port."""
        if self._has_answer or self._messages is None:
            return ""
        return wrong_port(parse_uri(self.server.uri), failure)

    def _request(self, encode: Callable[..., bytes], *arguments: Any) -> bytes:
        """Encode a request; if it cannot be encoded, the settings are wrong."""
        try:
            return encode(*arguments)
        except Exception as error:  # ldap3 and pyasn1 raise any error, even RecursionError
            what = printable(str(error)) or type(error).__name__
            detail = f"cannot encode a request with these settings: {what}"
            raise SessionError(Failure(FailureKind.BUG, detail, is_local=True)) from error

    def _exchange(  # noqa: PLR0913, PLR0917  all of one operation
        self,
        operation: str,
        request: bytes,
        final: int,
        receive_entry: Callable[[OctetsEntry], None] | None = None,
        controls: bytes = b"",
        what: str = "",
    ) -> tuple[Result, Controls]:
        """Send one request, or take the one in flight; return its result and controls.

        `operation` is its name in the timings, `what` are the words for it in a sentence.
        `receive_entry` gets each SearchResultEntry; only a search has them.
        """
        messages, doing = self._connected(), what or f"the {operation}"
        began, answered_at = self.deadline.now(), None
        try:
            sent = messages.request(EncodedRequest(operation, request + controls, final, doing))
            began = sent.sent_at
            self.flight_began = min(self.flight_began, sent.sent_monotonic)
            while (response := messages.response(sent)).tag != final:
                if response.tag == codec.ENTRY and receive_entry is not None:
                    receive_entry(decoded(codec.octets_entry, response.payload))
                elif response.tag == codec.REFERENCE:
                    decoded(codec.check_reference, response.payload)
            answered_at = sent.answered_at
            return decoded(codec.result, response.payload), response.controls
        except SessionError as error:
            self._fail(error)
            raise
        finally:
            ended = self.deadline.now() if answered_at is None else answered_at
            self._count_time(operation, began, ended)

    def _expect_success(  # noqa: PLR0913  all of one operation
        self,
        kind: FailureKind,
        operation: str,
        request: bytes,
        final: int,
        what: str,
        *,
        fatal: bool = False,
        controls: bytes = b"",
    ) -> Controls:
        """Do one operation, and return the controls of its response.

        `fatal`: without success the session is closed.
        """
        result, returned = self._exchange(operation, request, final, controls=controls, what=what)
        if result.code != codec.SUCCESS:
            refused = self._refused(kind, what, result)
            if fatal:
                self._end(refused.failure)
            raise refused
        return returned

    def _refused(self, kind: FailureKind, what: str, result: Result) -> SessionError:
        """Return the error for a result code, with the server's message in printable form."""
        name = result.code_name
        detail = printable(refused_sentence(what, self.server.credentials, result))
        cause = self.policy.cause
        if cause is not None and name in RESTRICTED:
            why = account_sentence(cause, self.server.credentials)
            detail = printable(f"{detail}; {why}", LONGEST_SENTENCE)
        return SessionError(Failure(kind, detail, name, answered=True))

    def _decoded(self, decode: Callable[[Controls], T], controls: Controls) -> T:
        """Decode a control of a response; a malformed one ends the session."""
        try:
            return decoded(decode, controls)
        except SessionError as error:
            self._end(error.failure)
            raise


def open_session(
    server: Server,
    deadline: Deadline,
    budget_bytes: int | None = None,
    accounts: Accounts | None = None,
) -> Session:
    """Return a session that is connected and bound; with SessionError nothing remains open."""
    session = Session(server, deadline, budget_bytes or BUDGET_BYTES, accounts)
    try:
        session.connect()
        session.bind()
    except BaseException:
        session.close()
        raise
    return session


def _add_time(
    times: dict[str, float],
    until: dict[str, RunningSeconds],
    operation: str,
    began: RunningSeconds,
    ended: RunningSeconds,
) -> None:
    before = times.get(operation)
    if before is None:
        before, since = 0.0, began
    else:
        since = max(began, until.get(operation, began))
    if ended > since:
        before += ended - since
        since = ended
    times[operation], until[operation] = whole_microseconds(before), since


def _appending_to(entries: list[tuple[str, Attributes]]) -> Callable[[OctetsEntry], None]:
    return lambda found: entries.append(codec.entry(found))


def _only(dn: str, entries: Sequence[Entry]) -> Mapping[str, tuple[str, ...]]:
    """Return the attributes of the only entry that was found; noSuchObject without one."""
    if not entries:
        detail = f"{printable(dn)}: no such entry, or no right to read it"
        raise SessionError(Failure(FailureKind.RESULT, detail, "noSuchObject", answered=True))
    return entries[0][1]
