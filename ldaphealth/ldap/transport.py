"""Bytes to and from one server, under one deadline and one byte budget.

Of LDAP it only knows the frame of messages. session.py is the only caller. Every error is raised as
SessionError.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec.structs import replace

from ldaphealth import waiting
from ldaphealth.clocks import RunningSeconds
from ldaphealth.ldap.ber import SEQUENCE, SHORT_FORM
from ldaphealth.ldap.deadline import Deadline, SessionError
from ldaphealth.ldap.endpoint import is_other_file
from ldaphealth.ldap.resolver import Address
from ldaphealth.ldap.sentences import SPEAKS_LDAPS
from ldaphealth.model import Failure, FailureKind, Tls
from ldaphealth.text.printable import printable

if TYPE_CHECKING:  # importing it would import ssl
    from ldaphealth.ldap.tls_stream import Certificate, TlsStream

BUDGET_BYTES = 64 * 1024  # one session; a whole round of built-in checks receives about 4 KiB
TLS_BYTES = 64 * 1024  # for the handshake (a chain of certificates has 3 to 10 KiB) and records
CHUNK_BYTES = 16 * 1024
SHORTEST_HEADER = 2  # tag and first length octet
LENGTH_OCTETS = range(1, 5)  # RFC 4511 5.1: definite lengths; maxInt fits in four octets
TLS_ALERT = b"\x15\x03"  # the first octets of the record of an alert, RFC 8446 5.1

# What this host has no more of, also on a connection that is made. ENOSPC is of epoll_ctl(2):
# fs.epoll.max_user_watches.
SHORTAGE_ERRNOS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.ENOSPC})
# Errors of socket(2) and connect(2) whose cause is this host, or an address in the settings that
# cannot be used. EHOSTUNREACH is not among them: it is reported for a neighbour that does not
# answer ARP, which is a dead server. Nor is ENOENT: slapd removes its Unix socket when it ends.
LOCAL_ERRNOS = frozenset(
    {
        *SHORTAGE_ERRNOS,
        errno.ENETUNREACH,
        errno.ENETDOWN,
        errno.EADDRNOTAVAIL,
        errno.EACCES,
        errno.EPERM,
        errno.EINVAL,
        errno.EAFNOSUPPORT,
        errno.EPROTONOSUPPORT,
        errno.EPROTOTYPE,
        errno.ENAMETOOLONG,
        errno.ENOTDIR,
        errno.ELOOP,
    }
)


def connect(addresses: list[Address], deadline: Deadline) -> socket.socket:
    """Connect to the first address that answers; each has its share of the time.

    The share is the time left divided by the number of addresses left. SessionError with the last
    failure; one that is not local counts more, as where this host has no route for IPv6.
    """
    last: SessionError | None = None
    for position, (family, address) in enumerate(addresses):
        where = address if isinstance(address, str) else f"{address[0]} port {address[1]}"
        try:
            left = deadline.left(f"the connection to {where}")
        except SessionError as passed:
            raise last or passed from None
        share = replace(deadline, at=deadline.now() + left / (len(addresses) - position))
        try:
            return _connect(family, address, share, f"the connection to {where}")
        except SessionError as error:
            last = error
        except TimeoutError:
            last = deadline.passed(f"the connection to {where}")
        except OSError as error:
            last = _more_telling(
                last, _connect_error(where, error, is_socket=family == socket.AF_UNIX)
            )
    assert last is not None, "getaddrinfo never returns an empty list"
    try:
        raise last
    finally:
        del last  # its traceback has this frame: a cycle


def _more_telling(last: SessionError | None, error: SessionError) -> SessionError:
    return error if last is None or not error.failure.is_local else last


def _connect_error(where: str, error: OSError, *, is_socket: bool) -> SessionError:
    """Return the error for a connection that cannot be made; without an errno Python refused it."""
    if is_socket and is_other_file(where):  # connect(2) reports ECONNREFUSED for it
        detail = f"cannot connect to {where}: it is not a Unix socket"
        return SessionError(Failure(FailureKind.CONNECT, detail, is_local=True))
    is_local = error.errno is None or error.errno in LOCAL_ERRNOS
    detail = f"cannot connect to {where}: {error.strerror or error}"
    return SessionError(Failure(FailureKind.CONNECT, detail, is_local=is_local))


def _connect(
    family: socket.AddressFamily,
    address: str | tuple[str, int] | tuple[str, int, int, int],
    deadline: Deadline,
    doing: str,
) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        if family != socket.AF_UNIX:
            # Else the bind with TLS 1.3 would wait 40 ms for a delayed ACK (RFC 896).
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        error = sock.connect_ex(address)
        if error == errno.EINPROGRESS:
            _wait(sock, select.POLLOUT, deadline, doing)
            error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        _raise_error(error)
    except BaseException:
        sock.close()
        raise
    return sock


def _raise_error(number: int) -> None:
    """OSError for the number of an error; none for 0."""
    if number:
        raise OSError(number, os.strerror(number))


def _wait(sock: socket.socket, event: int, deadline: Deadline, doing: str) -> None:
    """Wait for an event of poll(2). If the deadline moved meanwhile, continue to wait."""
    while not waiting.for_socket(sock, event, deadline.left(doing)):
        pass


class Transport:
    """A connected socket, which never blocks, that frames LDAP messages until its deadline."""

    def __init__(
        self, sock: socket.socket, deadline: Deadline, budget_bytes: int = BUDGET_BYTES
    ) -> None:
        self.sock = sock
        self._buffer = bytearray()
        self._whole: deque[bytes] = deque()  # messages that `receive` has not returned
        self._tls: TlsStream | None = None
        self._has_message = False  # whether a whole message was received since TLS started
        self.received_at: RunningSeconds = 0.0  # when the end of the newest message was received
        self.renew(deadline, budget_bytes)

    def renew(self, deadline: Deadline, budget_bytes: int) -> None:
        """Set a new deadline and byte budget for the same connection."""
        self.deadline = deadline
        self.budget_bytes = budget_bytes
        self._wire_bytes = budget_bytes + TLS_BYTES

    @contextlib.contextmanager
    def extra_bytes(self, count: int) -> Iterator[None]:
        """Let the server send that many bytes more meanwhile; the rest of them is not kept."""
        budget_bytes, wire_bytes = self.budget_bytes, self._wire_bytes
        self.budget_bytes += count
        self._wire_bytes += count
        try:
            yield
        finally:
            self.budget_bytes = min(self.budget_bytes, budget_bytes)
            self._wire_bytes = min(self._wire_bytes, wire_bytes)

    def start_tls(self, tls: Tls, uri: str, name: str) -> None:
        """Do the TLS handshake; the certificate must be trusted and contain `name`.

        The name may differ from the host of the connection (RFC 4513 3.1.3). `uri` is that of the
        server, for `resume_seconds`.
        """
        if (
            self._buffer or self._whole
        ):  # RFC 4511 4.14.1: nothing may follow the StartTLS response in the clear
            raise _protocol("the server sent data in the clear before the TLS handshake")
        from ldaphealth.ldap.tls_stream import TlsStream  # noqa: PLC0415  many servers have no TLS

        doing = f"the TLS handshake with {name}"
        self._tls, self._has_message = TlsStream(tls, uri, name), False
        try:
            self._tls.handshake(self, doing)
        except TimeoutError:
            raise self.deadline.passed(doing) from None
        except OSError as error:  # ssl.SSLError is one
            how = ", which resumed an earlier TLS session (resume_seconds)"
            resumed = how if self._tls.resumes else ""
            detail = f"TLS handshake with {name}{resumed} failed: {_reason(error)}"
            raise self._broken(FailureKind.TLS, detail, error) from error

    def certificate(self) -> Certificate | None:
        """Return the certificate of the server in the handshake; None without TLS."""
        return None if self._tls is None else self._tls.certificate()

    def keep_tls_session(self) -> None:
        """Keep the TLS session for a later connection, after this one has worked to its end."""
        if self._tls is not None:
            self._tls.keep_session()

    def send(self, message: bytes, doing: str) -> None:
        """Send a whole message before the deadline."""
        tls = self._tls
        try:
            if tls is None:
                self.send_octets(message, doing)
            else:
                tls.write(message, self, doing)
        except OSError as error:
            raise self._failed(error, doing) from error

    def receive(self, doing: str) -> bytes:
        """Return the next whole LDAPMessage (RFC 4511 4.1.1, definite lengths as 5.1 requires)."""
        while not self._whole:
            size = frame_bytes(self._buffer)
            if size is not None and size <= len(self._buffer):
                self._take_whole()
                break
            if size is not None and size - len(self._buffer) > self.budget_bytes:
                raise _too_large(f"a response of {size} bytes exceeds")
            if self.budget_bytes <= 0:
                raise _too_large("the responses together exceed")
            try:
                chunk = self._read(min(CHUNK_BYTES, self.budget_bytes), doing)
            except OSError as error:
                raise self._failed(error, doing) from error
            if not chunk:
                raise self._broken(
                    FailureKind.CONNECT, _broke("the server closed the connection", doing), None
                )
            self.received_at = self.deadline.now()
            self.budget_bytes -= len(chunk)
            self._buffer += chunk
        self._has_message = True
        return self._whole.popleft()

    def _take_whole(self) -> None:
        """Take all whole messages at the start of the buffer: a flight has many in one segment."""
        octets, at = bytes(self._buffer), 0
        end = len(octets)
        while end - at >= SHORTEST_HEADER and octets[at] == SEQUENCE:
            size, start = octets[at + 1], at + SHORTEST_HEADER
            if size >= SHORT_FORM:
                start += size - SHORT_FORM
                if size - SHORT_FORM not in LENGTH_OCTETS or start > end:
                    break  # which frame_bytes reports when it is the next one
                size = int.from_bytes(octets[at + SHORTEST_HEADER : start], "big")
            if start + size > end:
                break
            self._whole.append(octets[at : start + size])
            at = start + size
        del self._buffer[:at]

    def send_octets(self, data: bytes, doing: str) -> None:
        """Send all of it; mostly there is room, so it is tried before it waits. OSError."""
        view = memoryview(data)
        while view:
            self.deadline.left(doing)
            try:
                view = view[self.sock.send(view) :]
            except BlockingIOError:
                _wait(self.sock, select.POLLOUT, self.deadline, doing)

    def receive_octets(self, most: int, doing: str) -> bytes:
        """Return octets from the socket, which all count against the limit of the session.

        There are none after the server closed the connection. OSError.
        """
        if self._wire_bytes <= 0:
            raise _too_large("the responses together, with the overhead of TLS, exceed")
        while True:
            _wait(self.sock, select.POLLIN, self.deadline, doing)
            with contextlib.suppress(BlockingIOError):  # poll(2) may be wrong
                chunk = self.sock.recv(most)
                self._wire_bytes -= len(chunk)
                return chunk

    def _read(self, most: int, doing: str) -> bytes:
        tls = self._tls
        return self.receive_octets(most, doing) if tls is None else tls.read(most, self, doing)

    def _failed(self, error: OSError, doing: str) -> SessionError:
        """Return the error for one of the socket; ETIMEDOUT: the system has given up waiting."""
        if isinstance(error, TimeoutError):
            return self.deadline.passed(doing)
        detail = f"{_broke('the connection broke', doing)}: {_reason(error)}"
        return self._broken(FailureKind.CONNECT, detail, error)

    def _broken(self, kind: FailureKind, detail: str, error: OSError | None) -> SessionError:
        """Return the error for a connection that broke; `error` is None if the server closed it."""
        if error is not None and error.errno in SHORTAGE_ERRNOS:
            return SessionError(Failure(kind, detail, is_local=True))
        tls = self._tls
        why = "" if tls is None else tls.refusal(error, self, has_message=self._has_message)
        if not why:
            return SessionError(Failure(kind, detail))
        return SessionError(Failure(FailureKind.TLS_REFUSED, why))

    def close(self) -> None:
        """Close the socket; never waits and never fails."""
        self.sock.close()


def frame_bytes(buffer: bytes | bytearray) -> int | None:
    """Return the size of the LDAPMessage at the start of the buffer, None if it is too short.

    SessionError if it is not LDAP, without a wait for the rest until the deadline.
    """
    if buffer.startswith(TLS_ALERT):
        detail = f"the server answered with a TLS alert: {SPEAKS_LDAPS}"
        raise SessionError(Failure(FailureKind.TLS_REFUSED, detail))
    if buffer and buffer[0] != SEQUENCE:
        raise _protocol("what the server sent is not LDAP")
    if len(buffer) < SHORTEST_HEADER:
        return None
    first = buffer[1]
    if first < SHORT_FORM:
        return SHORTEST_HEADER + first
    octets = first - SHORT_FORM
    if octets not in LENGTH_OCTETS:
        raise _protocol("what the server sent is not LDAP: invalid length of a message")
    start = SHORTEST_HEADER + octets
    if len(buffer) < start:
        return None
    return start + int.from_bytes(buffer[SHORTEST_HEADER:start], "big")


def _broke(how: str, doing: str) -> str:
    """Return that the connection ended, and during what; a DN in it may be hostile."""
    return printable(f"{how} during {doing}")


def _protocol(detail: str) -> SessionError:
    return SessionError(Failure(FailureKind.PROTOCOL, detail))


def _too_large(what: str) -> SessionError:
    return SessionError(Failure(FailureKind.TOO_LARGE, f"{what} the limit of a session"))


def _reason(error: Exception) -> str:
    """Return the text of an error, without numbers and names of libraries."""
    reason: str | None = getattr(error, "reason", None)  # of an ssl.SSLError
    if reason:
        return reason.lower().replace("_", " ")
    return getattr(error, "strerror", None) or str(error)
