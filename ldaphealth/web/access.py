"""Access to the routes: HTTP credentials, Basic (RFC 7617) and Bearer (RFC 6750).

They are compared in constant time. app.py checks each request. server.py reads the files at the
start and after a reload.
"""

from __future__ import annotations

import base64
import binascii
import re
import ssl
from enum import Enum, auto
from hmac import compare_digest
from ipaddress import ip_address
from pathlib import Path

from msgspec import Struct

from ldaphealth.files.secret_file import read_secret
from ldaphealth.model import Secret
from ldaphealth.settings import HttpSettings

# RFC 9110 7.2, with and without a port
HOST = re.compile(r"(?:\[(?P<address>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9._-]+))(?::[0-9]{1,5})?")


class Access(Enum):
    """Which clients may use a route if credentials are configured."""

    PUBLIC = auto()
    HEALTH = auto()  # public with `open_health`
    READER = auto()


def is_address_or_localhost(host: str) -> bool:
    """Return whether a Host header is an address, localhost, or empty as in HTTP/1.0.

    Any other name may be under the control of an attacker, whose DNS server resolves it to this
    host for a moment. A page of the attacker in a local browser could then read what only this host
    may read (DNS rebinding). By RFC 6761 6.3 localhost and names below it are not looked up in DNS.
    """
    if not host:
        return True
    found = HOST.fullmatch(host)
    if found is None:
        return False
    name = (found["address"] or found["name"]).lower().removesuffix(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return bool(ip_address(name))
    except ValueError:
        return False


class HttpCredentials(Struct, frozen=True):
    """The accepted credentials. Without any, every client may read."""

    basic: Secret | None = None  # user:password
    token: Secret | None = None
    open_health: bool = False

    @property
    def is_open(self) -> bool:
        """Return whether no credentials are required."""
        return self.basic is None and self.token is None

    def admits(self, access: Access, authorization: str) -> bool:
        """Return whether a request with this Authorization header is admitted."""
        if access is Access.PUBLIC or (access is Access.HEALTH and self.open_health):
            return True
        if self.is_open:
            return True
        scheme, _, credentials = authorization.partition(" ")
        known = {"basic": self.basic, "bearer": self.token}.get(scheme.lower())
        if known is None:
            return False
        received = credentials.strip().encode()
        if scheme.lower() == "basic":
            try:
                received = base64.b64decode(received, validate=True)
            except (binascii.Error, ValueError):
                return False
        return compare_digest(received, known.reveal().encode())

    @property
    def challenge(self) -> str:
        """Return the WWW-Authenticate header of a refusal."""
        schemes = []
        if self.basic is not None:
            schemes.append('Basic realm="ldaphealth", charset="UTF-8"')
        if self.token is not None:
            schemes.append('Bearer realm="ldaphealth"')
        return ", ".join(schemes)


def http_credentials(settings: HttpSettings) -> HttpCredentials:
    """Read the credentials. ValueError names the file and the correction."""
    basic = token = None
    if settings.password_file:
        password = read_secret(Path(settings.password_file)).reveal()
        basic = Secret(f"{settings.user}:{password}")
    if settings.token_file:
        token = read_secret(Path(settings.token_file))
    return HttpCredentials(basic, token, settings.open_health)


def server_tls_context(settings: HttpSettings) -> ssl.SSLContext | None:
    """Read the certificate and its key; None without TLS. ValueError names the file."""
    if not settings.certificate_file:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.options |= ssl.OP_NO_RENEGOTIATION  # OpenSSL 1.1.1 would do it at each request
    files = settings.certificate_file, settings.key_file or None
    try:  # the passphrase of a key must not be requested from a terminal
        context.load_cert_chain(*files, password=lambda: "")
    except OSError as error:  # ssl.SSLError is one
        names = " and ".join(filter(None, files))
        raise ValueError(f"{names}: no certificate with its key in PEM: {error}") from error
    return context
