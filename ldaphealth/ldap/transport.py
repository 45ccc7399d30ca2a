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
import ssl
import threading
from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from ldaphealth.ldap.deadline import Deadline, SessionError
from ldaphealth.ldap.endpoint import Endpoint
from ldaphealth.model import Failure, FailureKind, Tls
from ldaphealth.text.printable import printable

BUDGET_BYTES = 64 * 1024  # one session; a whole round of built-in checks receives about 4 KiB
TLS_BYTES = 64 * 1024  # for the handshake (a chain of certificates has 3 to 10 KiB) and records
CHUNK_BYTES = 16 * 1024
SEQUENCE = 0x30

# Errors of connect(2) whose cause is this host. EHOSTUNREACH is not among them: it is reported for
# a neighbour that does not answer ARP, which is a dead server.
LOCAL_ERRNOS = frozenset(
    {
        errno.ENETUNREACH,
        errno.ENETDOWN,
        errno.EADDRNOTAVAIL,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOMEM,
        errno.ENOBUFS,
        errno.EACCES,
        errno.EPERM,
    }
)

T = TypeVar("T")
Address = tuple[socket.AddressFamily, str | tuple[str, int] | tuple[str, int, int, int]]


def resolve(endpoint: Endpoint, deadline: Deadline) -> list[Address]:
    """Return the addresses of a host in the order of getaddrinfo(3) (RFC 6724).

    A name is looked up in a daemon thread, because getaddrinfo has no timeout (it takes 40 s if the
    resolver does not answer) and must not delay the end of the process.
    """
    if endpoint.is_socket:
        return [(socket.AF_UNIX, endpoint.host)]
    numeric = _getaddrinfo(endpoint, socket.AI_NUMERICHOST)
    if not isinstance(numeric, OSError):
        return numeric
    answers: list[list[Address] | OSError] = []
    thread = threading.Thread(
        target=lambda: answers.append(_getaddrinfo(endpoint, 0)), name="resolve", daemon=True
    )
    thread.start()
    thread.join(deadline.left(f"resolving {endpoint.host}"))
    if not answers:
        detail = f"no answer within {deadline.seconds:g} s: resolving {endpoint.host}"
        raise SessionError(Failure(FailureKind.RESOLVE, detail, is_local=True))
    answer = answers[0]
    if isinstance(answer, OSError):
        detail = f"cannot resolve {endpoint.host}: {answer.strerror}"
        raise SessionError(Failure(FailureKind.RESOLVE, detail, is_local=True)) from answer
    return answer


def _getaddrinfo(endpoint: Endpoint, flags: int) -> list[Address] | OSError:
    try:
        found = socket.getaddrinfo(
            endpoint.host, endpoint.port, type=socket.SOCK_STREAM, flags=flags
        )
    except OSError as error:
        return error
    except UnicodeError as error:  # a label longer than DNS allows
        return OSError(0, str(error))
    return [(family, address) for family, _, _, _, address in found]  # type: ignore[misc]


def connect(addresses: list[Address], deadline: Deadline) -> socket.socket:
    """Connect to the first address that answers; each has its share of the time.

    The share is the time left divided by the number of addresses left.
    """
    last: SessionError | None = None
    for position, (family, address) in enumerate(addresses):
        where = address if isinstance(address, str) else f"{address[0]} port {address[1]}"
        try:
            left = deadline.left(f"connecting to {where}")
        except SessionError as passed:
            raise last or passed from None
        share = replace(deadline, at=deadline.now() + left / (len(addresses) - position))
        try:
            return _connect(family, address, share, f"connecting to {where}")
        except SessionError as error:
            last = error
        except TimeoutError:
            last = deadline.passed(f"connecting to {where}")
        except OSError as error:
            is_local = error.errno in LOCAL_ERRNOS
            detail = f"cannot connect to {where}: {error.strerror or error}"
            last = SessionError(Failure(FailureKind.CONNECT, detail, is_local=is_local))
    assert last is not None, "getaddrinfo never returns an empty list"
    raise last


def _connect(
    family: socket.AddressFamily,
    address: str | tuple[str, int] | tuple[str, int, int, int],
    deadline: Deadline,
    doing: str,
) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if family != socket.AF_UNIX:
            # Else the bind with TLS 1.3 would wait 40 ms for a delayed ACK (RFC 896).
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)
        error = sock.connect_ex(address)
        if error == errno.EINPROGRESS:
            poll = select.poll()
            poll.register(sock, select.POLLOUT)
            while not poll.poll(deadline.left(doing) * 1000):
                pass  # the deadline moved while this process stood still
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


def tls_context(tls: Tls) -> ssl.SSLContext:
    """Return the context for these settings, cached until one of the files changes.

    To make one reads all trusted authorities (50 ms of CPU with those of the system).
    """
    files = (tls.ca_file, tls.certificate_file, tls.key_file)
    try:
        stamps = tuple(os.stat(path).st_mtime_ns if path else 0 for path in files)  # noqa: PTH116
        return _tls_context(tls.verify, files, stamps)
    except (OSError, ssl.SSLError) as error:
        detail = f"cannot load the TLS files {', '.join(filter(None, files))}: {error}"
        raise SessionError(Failure(FailureKind.TLS, detail, is_local=True)) from error


@lru_cache(maxsize=64)
def _tls_context(
    verify: bool,
    files: tuple[str, str, str],
    stamps: tuple[int, ...],  # noqa: ARG001  part of the key of the cache
) -> ssl.SSLContext:
    ca_file, certificate_file, key_file = files
    context = ssl.create_default_context(cafile=ca_file or None)
    # Python 3.13 sets it by default; libldap and RFC 4513 do not require it. An authority without
    # keyUsage would take its servers out of service after an upgrade of this host.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if certificate_file:
        context.load_cert_chain(certificate_file, key_file or None)
    return context


class Certificate(Struct, frozen=True):
    """The certificate of a server: its host names and addresses, and when it expires.

    OpenSSL only returns these for a verified certificate; else they are empty and None.
    """

    names: tuple[str, ...] = ()
    expires_epoch_seconds: float | None = None


class Transport:
    """A connected socket that frames LDAP messages and never waits past its deadline."""

    def __init__(
        self, sock: socket.socket, deadline: Deadline, budget_bytes: int = BUDGET_BYTES
    ) -> None:
        self.sock = sock
        self._buffer = bytearray()
        self._tls: ssl.SSLObject | None = None
        self._from_server, self._to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.renew(deadline, budget_bytes)

    def renew(self, deadline: Deadline, budget_bytes: int) -> None:
        """Set a new deadline and byte budget for the same connection."""
        self.deadline = deadline
        self.budget_bytes = budget_bytes
        self._wire_bytes = budget_bytes + TLS_BYTES

    def start_tls(self, tls: Tls, name: str) -> None:
        """Do the TLS handshake; the certificate must be trusted and contain `name`.

        The name may differ from the host of the connection (RFC 4513 3.1.3).
        """
        if self._buffer:  # RFC 4511 4.14.1: nothing may follow the StartTLS response in the clear
            raise _protocol("the server sent data in the clear before the TLS handshake")
        context = tls_context(tls)
        doing = f"TLS handshake with {name}"
        try:
            self._tls = context.wrap_bio(self._from_server, self._to_server, server_hostname=name)
        except (ValueError, TypeError) as error:  # an invalid name; ssl.SSLError is an OSError
            detail = f"{printable(name)} is not a valid host name for TLS: {error}"
            raise SessionError(Failure(FailureKind.TLS, detail, is_local=True)) from error
        try:
            self._through_tls(self._tls.do_handshake, doing)
        except TimeoutError:
            raise self.deadline.passed(doing) from None
        except ssl.SSLCertVerificationError as error:
            detail = f"the certificate of {name} is not trusted: {error.verify_message}"
            raise SessionError(Failure(FailureKind.CERTIFICATE, detail)) from error
        except OSError as error:  # ssl.SSLError is one
            detail = f"TLS handshake with {name} failed: {_reason(error)}"
            raise SessionError(Failure(FailureKind.TLS, detail)) from error

    def certificate(self) -> Certificate | None:
        """Return the certificate of the handshake; None without TLS."""
        if self._tls is None:
            return None
        found = self._tls.getpeercert() or {}
        names = tuple(str(name[-1]) for name in found.get("subjectAltName", ()))
        end = found.get("notAfter")
        return Certificate(names, float(ssl.cert_time_to_seconds(str(end))) if end else None)

    def send(self, message: bytes, doing: str) -> None:
        """Send a whole message before the deadline."""
        tls = self._tls
        if tls is None:
            self._io(lambda: self._send(message, doing), doing)
        else:
            self._io(lambda: self._through_tls(lambda: tls.write(message), doing), doing)

    def receive(self, doing: str) -> bytes:
        """Return the next whole LDAPMessage (RFC 4511 4.1.1, definite lengths as 5.1 requires)."""
        while (size := frame_bytes(self._buffer)) is None or len(self._buffer) < size:
            if size is not None and size - len(self._buffer) > self.budget_bytes:
                raise _too_large(f"a response of {size} bytes exceeds")
            if self.budget_bytes <= 0:
                raise _too_large("the responses together exceed")
            most = min(CHUNK_BYTES, self.budget_bytes)
            chunk = self._io(lambda: self._read(most, doing), doing)  # noqa: B023  called now
            if not chunk:
                detail = f"the server closed the connection: {doing}"
                raise SessionError(Failure(FailureKind.CONNECT, detail))
            self.budget_bytes -= len(chunk)
            self._buffer += chunk
        message = bytes(self._buffer[:size])
        del self._buffer[:size]
        return message

    def _send(self, data: bytes, doing: str) -> None:
        view = memoryview(data)
        while view:
            view = view[self._wait(lambda: self.sock.send(view), doing) :]  # noqa: B023  called now

    def _receive(self, most: int, doing: str) -> bytes:
        """Return bytes from the socket; all of them count against the limit of the session."""
        if self._wire_bytes <= 0:
            raise _too_large("the responses together, with the overhead of TLS, exceed")
        chunk = self._wait(lambda: self.sock.recv(most), doing)
        self._wire_bytes -= len(chunk)
        return chunk

    def _wait(self, step: Callable[[], T], doing: str) -> T:
        """Do one step of the socket. If the deadline moved meanwhile, continue to wait."""
        while True:
            self.sock.settimeout(self.deadline.left(doing))
            try:
                return step()
            except TimeoutError as error:
                if error.errno is not None:  # ETIMEDOUT: the system has given up the connection
                    raise

    def _read(self, most: int, doing: str) -> bytes:
        tls = self._tls
        if tls is None:
            return self._receive(most, doing)
        try:
            return self._through_tls(lambda: tls.read(most), doing)
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""

    def _through_tls(self, step: Callable[[], T], doing: str) -> T:
        """Do one step of TLS, and copy the bytes between OpenSSL and the socket.

        OpenSSL must not read the socket itself: it would consume records of TLS, such as
        HelloRequest or session tickets, for as long as they come, without checking the deadline.
        """
        while True:
            try:
                done = step()
            except ssl.SSLWantReadError:
                self._send(self._to_server.read(), doing)
            except ssl.SSLError:
                with contextlib.suppress(OSError, SessionError):  # the alert with the reason
                    self._send(self._to_server.read(), doing)
                raise
            else:
                self._send(self._to_server.read(), doing)
                return done
            chunk = self._receive(CHUNK_BYTES, doing)
            if chunk:
                self._from_server.write(chunk)
            else:
                self._from_server.write_eof()

    def _io(self, operation: Callable[[], T], doing: str) -> T:
        try:
            return operation()
        except TimeoutError:
            raise self.deadline.passed(doing) from None
        except OSError as error:
            detail = f"the connection broke: {doing}: {_reason(error)}"
            raise SessionError(Failure(FailureKind.CONNECT, detail)) from error

    def close(self) -> None:
        """Close the socket; never waits and never fails."""
        self.sock.close()


def frame_bytes(buffer: bytes | bytearray) -> int | None:
    """Return the size of the LDAPMessage at the start of the buffer, None if it is too short.

    SessionError if it is not LDAP, without a wait for the rest until the deadline.
    """
    if buffer and buffer[0] != SEQUENCE:
        raise _protocol("what the server sent is not LDAP")
    if len(buffer) < 2:  # noqa: PLR2004  tag and first length octet
        return None
    first = buffer[1]
    if first < 0x80:  # noqa: PLR2004  short form
        return 2 + first
    octets = first & 0x7F
    if not 1 <= octets <= 4:  # noqa: PLR2004  RFC 4511 5.1: definite; maxInt fits in four
        raise _protocol("what the server sent is not LDAP: invalid length of a message")
    if len(buffer) < 2 + octets:
        return None
    return 2 + octets + int.from_bytes(buffer[2 : 2 + octets], "big")


def _protocol(detail: str) -> SessionError:
    return SessionError(Failure(FailureKind.PROTOCOL, detail))


def _too_large(what: str) -> SessionError:
    return SessionError(Failure(FailureKind.TOO_LARGE, f"{what} the limit of a session"))


def _reason(error: Exception) -> str:
    """Return the text of an error, without numbers and names of libraries."""
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.lower().replace("_", " ")
    return getattr(error, "strerror", None) or str(error)
