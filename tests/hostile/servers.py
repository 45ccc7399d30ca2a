"""Servers that do what no LDAP server should: each a function that gets one accepted connection.

test_deadline.py and test_failures.py let sessions meet them.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import trustme

from demo import ports

Behaviour = Callable[[socket.socket], None]

LIFETIME_SECONDS = 20.0


def message(message_id: int, op: bytes) -> bytes:
    """Return an LDAPMessage with a two-octet message ID, as our session sends them."""
    body = b"\x02\x02" + message_id.to_bytes(2, "big") + op
    return b"\x30\x84" + len(body).to_bytes(4, "big") + body


def result(tag: int, code: int, text: bytes = b"", more: bytes = b"") -> bytes:
    """Return an LDAPResult as [APPLICATION tag], with these fields at its end."""
    return odd_result(tag, b"\x0a\x01" + bytes([code]), text, more)


def odd_result(tag: int, code: bytes, text: bytes = b"", more: bytes = b"") -> bytes:
    """Return an LDAPResult whose result code is any element."""
    body = code + b"\x04\x00\x04" + bytes([len(text)]) + text + more
    return bytes([0x60 | tag, len(body)]) + body


def field(tag: int, content: bytes) -> bytes:
    """Return a constructed field [tag] of a sequence."""
    return bytes([0xA0 | tag, len(content)]) + content


REFERRAL = field(3, b"\x04\x12ldap://other.test/")


def entry(dn: bytes = b"cn=x", padding: int = 0) -> bytes:
    """Return a SearchResultEntry with one attribute."""
    value = b"\x04\x84" + padding.to_bytes(4, "big") + b"x" * padding
    values = b"\x31\x84" + len(value).to_bytes(4, "big") + value
    attribute = b"\x04\x02cn" + values
    attributes = b"\x30\x84" + len(attribute).to_bytes(4, "big") + attribute
    attributes = b"\x30\x84" + len(attributes).to_bytes(4, "big") + attributes
    body = b"\x04" + bytes([len(dn)]) + dn + attributes
    return b"\x64\x84" + len(body).to_bytes(4, "big") + body


def silent(peer: socket.socket) -> None:
    """Say nothing."""
    peer.settimeout(LIFETIME_SECONDS)
    while peer.recv(4096):
        pass


def drip(peer: socket.socket) -> None:
    """Send one byte of a right answer every half second."""
    peer.recv(4096)
    for byte in message(1, result(1, 0)) * 100:
        peer.sendall(bytes([byte]))
        time.sleep(0.5)


def slow_answers(peer: socket.socket) -> None:
    """Answer everything rightly, each answer after 0.7 s."""
    for message_id, tag in ((1, 1), (2, 5)):
        peer.recv(4096)
        time.sleep(0.7)
        peer.sendall(message(message_id, result(tag, 0)))
    silent(peer)


def endless(peer: socket.socket) -> None:
    """Answer the bind, then send entries for ever."""
    peer.recv(4096)
    peer.sendall(message(1, result(1, 0)))
    peer.recv(4096)
    while True:
        peer.sendall(message(2, entry()) * 100)


def garbage(peer: socket.socket) -> None:
    """Speak another protocol."""
    peer.recv(4096)
    peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 10)
    silent(peer)


def answering(*answers: bytes) -> Behaviour:
    """Return a server that answers each message with the next of these, then says nothing."""

    def behave(peer: socket.socket) -> None:
        for answer in answers:
            peer.recv(4096)
            peer.sendall(answer)
        silent(peer)

    return behave


def closing(peer: socket.socket) -> None:
    """Close at once."""
    del peer


def resetting(peer: socket.socket) -> None:
    """Reset the connection after the first message."""
    peer.recv(4096)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")


@contextlib.contextmanager
def listening(behave: Behaviour, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """Serve the behaviour on a port of 127.0.0.1 that is ours as those of the real clusters are.

    A port that is only free may be that of a node which another test has just killed.
    """
    reservation = ports.reserve(1, ("127.0.0.1",))
    listener = socket.create_server(("127.0.0.1", *reservation.ports), backlog=64)
    stopping = threading.Event()

    def serve() -> None:
        while not stopping.is_set():
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=_converse, args=(peer, behave, context), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        stopping.set()
        listener.close()
        reservation.release()


@contextlib.contextmanager
def unaccepted() -> Iterator[int]:
    """Yield a port on which the kernel connects a thousand clients, and nobody answers them."""
    reservation = ports.reserve(1, ("127.0.0.1",))
    try:
        with socket.create_server(("127.0.0.1", *reservation.ports), backlog=1000):
            yield reservation.ports[0]
    finally:
        reservation.release()


def _converse(peer: socket.socket, behave: Behaviour, context: ssl.SSLContext | None) -> None:
    with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
        stack.callback(peer.close)
        if context is not None:
            peer = stack.enter_context(context.wrap_socket(peer, server_side=True))
        behave(peer)


class Authority:
    """A certificate authority of the tests; `ca_file` is what sessions trust."""

    def __init__(self, directory: Path) -> None:
        self._ca = trustme.CA()
        self._directory = directory
        self.ca_file = str(directory / "ca.pem")
        self._ca.cert_pem.write_to_path(self.ca_file)

    def context(self, *names: str) -> ssl.SSLContext:
        """Return a server's context with a certificate for these names."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._ca.issue_cert(*names).configure_cert(context)
        return context

    def demanding(self) -> ssl.SSLContext:
        """Return such a context for 127.0.0.1 that requires a client certificate."""
        context = self.context("127.0.0.1")
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(self.ca_file)
        return context

    def client_file(self, valid_until: datetime | None = None) -> str:
        """Return a file with a client certificate and its key; it is valid for a day, or now."""
        issued = self._ca.issue_cert(
            common_name="client",
            not_before=valid_until and valid_until - timedelta(days=1),
            not_after=valid_until,
        )
        file = self._directory / f"client-{valid_until or 'valid'}.pem"
        issued.private_key_and_cert_chain_pem.write_to_path(str(file))
        return str(file)
