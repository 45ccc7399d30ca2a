"""Bytes to and from one server under one deadline and one byte budget; knows no LDAP but its frame.

session.py is the only caller. Every error leaves as a SessionError.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import ssl
import threading
from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

from msgspec import Struct

from ldaphealth.ldap.deadline import Deadline, SessionError
from ldaphealth.ldap.endpoint import Endpoint
from ldaphealth.model import Failure, FailureKind, Tls
from ldaphealth.text.printable import printable

BUDGET_BYTES = 64 * 1024  # one session; a whole round of built-in checks receives about 4 KiB
TLS_BYTES = 64 * 1024  # for the handshake (a chain of certificates is 3 to 10 KiB) and records
CHUNK_BYTES = 16 * 1024
SEQUENCE = 0x30

# What connect(2) reports when our own machine is the trouble. EHOSTUNREACH is not among them: a
# neighbour that does not answer ARP is reported so, and that is a dead server.
OUR_ERRNOS = frozenset(
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

    A name is looked up in a daemon thread, because getaddrinfo knows no timeout (40 s with a
    silent resolver) and must not hold up the end of the process.
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
    """Connect to the first address that answers; a dead one may use up only its share of the time.

    The share is what is left divided by the addresses left, so that the last gets a fair try.
    """
    last: SessionError | None = None
    for position, (family, address) in enumerate(addresses):
        where = address if isinstance(address, str) else f"{address[0]} port {address[1]}"
        try:
            left = deadline.left(f"connecting to {where}")
        except SessionError as passed:
            raise last or passed from None
        try:
            return _connect(family, address, left / (len(addresses) - position))
        except TimeoutError:
            last = deadline.passed(f"connecting to {where}")
        except OSError as error:
            ours = error.errno in OUR_ERRNOS
            detail = f"cannot connect to {where}: {error.strerror or error}"
            last = SessionError(Failure(FailureKind.CONNECT, detail, is_local=ours))
    assert last is not None, "getaddrinfo never returns an empty list"
    raise last


def _connect(
    family: socket.AddressFamily, address: str | tuple[object, ...], seconds: float
) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if family != socket.AF_UNIX:
            # With TLS 1.3 the bind would wait 40 ms for a delayed ACK otherwise (RFC 896).
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(seconds)
        sock.connect(address)
    except BaseException:
        sock.close()
        raise
    return sock


def tls_context(tls: Tls) -> ssl.SSLContext:
    """Return the context for these settings, made once for each state of the files it reads.

    Building one reads the whole authority bundle (50 ms of CPU with the system's).
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
    stamps: tuple[int, ...],  # noqa: ARG001  a new stamp misses the cache
) -> ssl.SSLContext:
    ca_file, certificate_file, key_file = files
    context = ssl.create_default_context(cafile=ca_file or None)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if certificate_file:
        context.load_cert_chain(certificate_file, key_file or None)
    return context


class Certificate(Struct, frozen=True):
    """What a server presented: the host names and addresses in it, and when it ends.

    OpenSSL tells us only of a certificate that it was to verify: else there is no end and no name.
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
        """Begin another deadline and byte budget on the same connection."""
        self.deadline = deadline
        self.budget_bytes = budget_bytes
        self._wire_bytes = budget_bytes + TLS_BYTES

    def start_tls(self, tls: Tls, name: str) -> None:
        """Do the TLS handshake; the certificate must be trusted and carry the name of the server.

        The name may be another than that which we connected to (RFC 4513 3.1.3).
        """
        if self._buffer:  # RFC 4511 4.14.1: nothing may follow the StartTLS response in the clear
            raise _protocol("the server sent data in the clear before the TLS handshake")
        context = tls_context(tls)
        doing = f"TLS handshake with {name}"
        try:
            self._tls = context.wrap_bio(self._from_server, self._to_server, server_hostname=name)
        except (
            ValueError,
            TypeError,
        ) as error:  # what cannot be a name; ssl.SSLError is an OSError
            detail = f"{printable(name)} is no name that a certificate carries: {error}"
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
        """Return the certificate of the handshake; None in the clear."""
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
                raise _too_large(f"an answer of {size} bytes")
            if self.budget_bytes <= 0:
                raise _too_large("the answers together")
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
            self.sock.settimeout(self.deadline.left(doing))
            view = view[self.sock.send(view) :]

    def _receive(self, most: int, doing: str) -> bytes:
        """Return some bytes as they come from the server; they count, whatever is in them."""
        if self._wire_bytes <= 0:
            raise _too_large("the answers together, with what TLS adds,")
        self.sock.settimeout(self.deadline.left(doing))
        chunk = self.sock.recv(most)
        self._wire_bytes -= len(chunk)
        return chunk

    def _read(self, most: int, doing: str) -> bytes:
        tls = self._tls
        if tls is None:
            return self._receive(most, doing)
        try:
            return self._through_tls(lambda: tls.read(most), doing)
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""

    def _through_tls(self, step: Callable[[], T], doing: str) -> T:
        """Do one step of TLS, and carry the bytes between OpenSSL and the socket.

        OpenSSL must not read the socket itself: it takes in what is for TLS alone, such as
        HelloRequest or session tickets, for as long as it comes, and asks no deadline meanwhile.
        """
        while True:
            try:
                done = step()
            except ssl.SSLWantReadError:
                self._send(self._to_server.read(), doing)
            except ssl.SSLError:
                with contextlib.suppress(OSError, SessionError):  # the alert that says why we leave
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
    """Return the size of the LDAPMessage that the buffer begins with, or None if too short to say.

    SessionError for what no LDAP server sends: it saves waiting for the rest until the deadline.
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
        raise _protocol("what the server sent is not LDAP: a length that no message has")
    if len(buffer) < 2 + octets:
        return None
    return 2 + octets + int.from_bytes(buffer[2 : 2 + octets], "big")


def _protocol(detail: str) -> SessionError:
    return SessionError(Failure(FailureKind.PROTOCOL, detail))


def _too_large(what: str) -> SessionError:
    return SessionError(Failure(FailureKind.TOO_LARGE, f"{what} exceed what one session may take"))


def _reason(error: Exception) -> str:
    """Return the plain words of an error, without numbers and library names."""
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.lower().replace("_", " ")
    return getattr(error, "strerror", None) or str(error)
