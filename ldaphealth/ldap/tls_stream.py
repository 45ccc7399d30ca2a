"""TLS on the connection of a session, with OpenSSL between the transport and the octets.

transport.py makes one when TLS starts; only then this module and ssl are loaded. Errors of OpenSSL
pass through: the transport raises them as SessionError.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable
from typing import Protocol, TypeVar

from msgspec import Struct

from ldaphealth.clocks import EpochSeconds, boot_seconds
from ldaphealth.ldap.certificate_name import certificate_names
from ldaphealth.ldap.deadline import SessionError
from ldaphealth.ldap.tls import TlsObject, client_tls, refusal
from ldaphealth.ldap.tls_sessions import KeptSession
from ldaphealth.model import Failure, FailureKind, Tls
from ldaphealth.text.printable import printable

CHUNK_BYTES = 16 * 1024

T = TypeVar("T")


class Wire(Protocol):
    """The octets of a connection: `doing` are words for what is done. OSError, SessionError."""

    def send_octets(self, data: bytes, doing: str) -> None:
        """Send all of it."""

    def receive_octets(self, most: int, doing: str) -> bytes:
        """Return some, none after the server closed the connection."""


class Certificate(Struct, frozen=True):
    """The certificate of a server: its names (certificate_name.py), and when it expires.

    OpenSSL only returns these for a verified certificate; else they are empty and None.
    `client_expires_epoch_seconds`: when the client certificate expires, or the first of its chain;
    None if there is none.
    """

    names: tuple[str, ...] = ()
    expires_epoch_seconds: EpochSeconds | None = None
    client_expires_epoch_seconds: EpochSeconds | None = None


class TlsStream:
    """The TLS of one connection with the server that must have a certificate for `name`.

    With `resume_seconds` it resumes the TLS session of an earlier connection with the same URI.
    """

    def __init__(self, tls: Tls, uri: str, name: str) -> None:
        """SessionError: the files or the name cannot be used."""
        client = client_tls(tls)
        self._settings, self._client_expires = tls, client.certificate_expires
        self._name, self._began_at = name, boot_seconds()  # counts the time of a suspended host
        self._place, self._sessions = (uri, name), client.sessions
        self._resumed = client.sessions.take(self._place, self._began_at, tls.resume_seconds)
        self._from_server, self._to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
        try:
            connection = client.context.wrap_bio(
                self._from_server,
                self._to_server,
                server_hostname=name,
                session=None if self._resumed is None else self._resumed.session,
            )
        except (ValueError, TypeError) as error:  # an invalid name; ssl.SSLError is an OSError
            detail = f"{printable(name)} is not a valid host name for TLS: {error}"
            raise SessionError(Failure(FailureKind.TLS, detail, is_local=True)) from error
        assert isinstance(connection, TlsObject), "the context makes no others"
        self._connection = connection

    def handshake(self, wire: Wire, doing: str) -> None:
        """Do the handshake; SessionError for a certificate that is not trusted."""
        try:
            self._step(self._connection.do_handshake, wire, doing)
        except ssl.SSLCertVerificationError as error:
            detail = f"the certificate of {self._name} is not trusted: {error.verify_message}"
            raise SessionError(Failure(FailureKind.CERTIFICATE, detail)) from error

    @property
    def resumes(self) -> bool:
        """Return whether it tries to resume a TLS session."""
        return self._resumed is not None

    def certificate(self) -> Certificate:
        """Return the certificate of the server in the handshake."""
        found = self._connection.getpeercert() or {}
        end = found.get("notAfter")
        expires = float(ssl.cert_time_to_seconds(str(end))) if end else None
        return Certificate(certificate_names(found), expires, self._client_expires)

    def keep_session(self) -> None:
        """Keep the TLS session for a later connection, if the settings enable that.

        The connection must have worked to its end; the server sends what resumes the session after
        the handshake (RFC 8446 4.6.1).
        """
        connection = self._connection
        if not self._settings.resume_seconds or connection.version() != "TLSv1.3":
            return
        if self._resumed is not None and connection.session_reused:
            self._sessions.give_back(self._place, self._resumed)
        elif (session := connection.session) is not None and session.has_ticket:
            kept = KeptSession(session, self._began_at, connection.requests_certificate)
            keep = self._sessions.offer if self._resumed is None else self._sessions.give_back
            keep(self._place, kept)

    def write(self, data: bytes, wire: Wire, doing: str) -> None:
        """Send all of it."""
        self._step(lambda: self._connection.write(data), wire, doing)

    def read(self, most: int, wire: Wire, doing: str) -> bytes:
        """Return some of what the server sent, none after it ended."""
        try:
            return self._step(lambda: self._connection.read(most), wire, doing)
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""

    def refusal(self, error: OSError | None, wire: Wire, *, has_message: bool) -> str:
        """Return why the server, or this host, refuses TLS after the connection broke; "" if not.

        `error` is None if the server closed it, `has_message`: not before it sent a message. With
        TLS 1.3 a server refuses a client certificate after the handshake of the client has ended
        (RFC 8446 2), so the alert may wait behind an error of send(2).
        """
        if not isinstance(error, ssl.SSLError | None):
            error = self._waiting_error(wire) or error
        requested = self._requests_certificate() and not has_message
        return refusal(error, self._settings, requested_certificate=requested)

    def _requests_certificate(self) -> bool:
        """Return whether the server requested a client certificate, now or when it was whole."""
        if self._resumed is not None and self._connection.session_reused:
            return self._resumed.requests_certificate
        return self._connection.requests_certificate

    def _waiting_error(self, wire: Wire) -> ssl.SSLError | None:
        """Return the error of TLS in what the server sent before it closed the connection."""
        try:
            while self.read(CHUNK_BYTES, wire, "the last message"):
                pass
        except ssl.SSLError as error:
            return error
        except (OSError, SessionError):
            pass
        return None

    def _step(self, step: Callable[[], T], wire: Wire, doing: str) -> T:
        """Do one step of TLS, and copy the octets between OpenSSL and the wire.

        OpenSSL must not read the socket itself: it would consume records of TLS, such as
        HelloRequest or session tickets, for as long as they come, without checking the deadline.
        """
        while True:
            try:
                done = step()
            except ssl.SSLWantReadError:
                wire.send_octets(self._to_server.read(), doing)
            except ssl.SSLError:
                with contextlib.suppress(OSError, SessionError):  # the alert with the reason
                    wire.send_octets(self._to_server.read(), doing)
                raise
            else:
                wire.send_octets(self._to_server.read(), doing)
                return done
            chunk = wire.receive_octets(CHUNK_BYTES, doing)
            if chunk:
                self._from_server.write(chunk)
            else:
                self._from_server.write_eof()
