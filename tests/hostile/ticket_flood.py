"""A TLS 1.3 server that sends session tickets for ever, hundreds in each record.

OpenSSL takes in tickets inside SSL_read and returns when there is application data or nothing
more to read; a server that is quick enough keeps it there. No TLS library sends so many, so this
speaks the record layer itself (RFC 8446 5.2, 7.3), with the keys that ssl writes to its key log.
"""

from __future__ import annotations

import os
import socket
import ssl
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

# NewSessionTicket (RFC 8446 4.6.1): lifetime, age_add, no nonce, a ticket of one byte, no extension
BODY = (3600).to_bytes(4, "big") + b"\0\0\0\0" + b"\0" + b"\0\1x" + b"\0\0"
TICKET = b"\x04" + len(BODY).to_bytes(3, "big") + BODY
HANDSHAKE = b"\x16"  # the real content type, at the end of what is encrypted
RECORD_BYTES = 16_000  # 2^14 is the most
TAG_BYTES = 16


class TicketFlood:
    """The behaviour for `servers.listening`; `keys` is where the key log goes."""

    def __init__(self, keys: Path) -> None:
        self._keys = keys

    def prepared(self, context: ssl.SSLContext) -> ssl.SSLContext:
        """Make the context one whose records we can continue: TLS 1.3, and no ticket of its own.

        The cipher suite that both sides prefer is TLS_AES_256_GCM_SHA384.
        """
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.num_tickets = 0
        context.keylog_filename = str(self._keys)
        return context

    def __call__(self, peer: socket.socket) -> None:
        """Send records full of tickets until the other side is gone."""
        secret = self._secret()
        cipher = AESGCM(_expanded(secret, b"key", 32))
        iv = int.from_bytes(_expanded(secret, b"iv", 12), "big")
        inner = TICKET * (RECORD_BYTES // len(TICKET)) + HANDSHAKE
        header = b"\x17\x03\x03" + (len(inner) + TAG_BYTES).to_bytes(2, "big")
        with socket.socket(fileno=os.dup(peer.fileno())) as plain:
            plain.settimeout(60)
            sequence = 0
            while True:
                nonce = (iv ^ sequence).to_bytes(12, "big")
                plain.sendall(header + cipher.encrypt(nonce, inner, header))
                sequence += 1

    def _secret(self) -> bytes:
        lines = self._keys.read_text().splitlines()
        mine = [line for line in lines if line.startswith("SERVER_TRAFFIC_SECRET_0 ")]
        return bytes.fromhex(mine[-1].split()[2])


def _expanded(secret: bytes, label: bytes, size: int) -> bytes:
    """Return HKDF-Expand-Label of an empty context (RFC 8446 7.1)."""
    full = b"tls13 " + label
    info = size.to_bytes(2, "big") + bytes([len(full)]) + full + b"\0"
    return HKDFExpand(SHA384(), size, info).derive(secret)
