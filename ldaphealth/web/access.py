"""Who may read: credentials of HTTP, Basic (RFC 7617) and Bearer (RFC 6750), in constant time.

app.py asks it for each request; server.py reads the files at the start and after a reload.
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
    """Who gets the answer of a route, where credentials are configured."""

    ANYBODY = auto()
    HEALTH = auto()  # anybody with `open_health`
    READER = auto()


def is_ours(host: str) -> bool:
    """Tell whether a Host header names an address or localhost, or nothing as HTTP/1.0 may.

    Any other name may be one that somebody's DNS lets point to this machine for a moment, so that
    his page in a browser here reads what only this machine may (DNS rebinding). RFC 6761 6.3 keeps
    localhost and what is below it from DNS.
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
    """The credentials that are good; without any, everybody may read."""

    basic: Secret | None = None  # user:password
    token: Secret | None = None
    open_health: bool = False

    @property
    def is_everybody(self) -> bool:
        """Tell whether nobody is asked for credentials."""
        return self.basic is None and self.token is None

    def admits(self, access: Access, authorization: str) -> bool:
        """Tell whether a request with this Authorization header gets an answer."""
        if access is Access.ANYBODY or (access is Access.HEALTH and self.open_health):
            return True
        if self.is_everybody:
            return True
        scheme, _, given = authorization.partition(" ")
        known = {"basic": self.basic, "bearer": self.token}.get(scheme.lower())
        if known is None:
            return False
        said = given.strip().encode()
        if scheme.lower() == "basic":
            try:
                said = base64.b64decode(said, validate=True)
            except (binascii.Error, ValueError):
                return False
        return compare_digest(said, known.reveal().encode())

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
    """Read the credentials; ValueError names the file and how to mend it."""
    basic = token = None
    if settings.password_file:
        password = read_secret(Path(settings.password_file)).reveal()
        basic = Secret(f"{settings.user}:{password}")
    if settings.token_file:
        token = read_secret(Path(settings.token_file))
    return HttpCredentials(basic, token, settings.open_health)


def server_tls_context(settings: HttpSettings) -> ssl.SSLContext | None:
    """Read the certificate and its key; None: no TLS. ValueError names the file."""
    if not settings.certificate_file:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.options |= ssl.OP_NO_RENEGOTIATION  # OpenSSL 1.1.1 would do it as often as asked
    files = settings.certificate_file, settings.key_file or None
    try:  # a key with a passphrase must not ask a terminal for it
        context.load_cert_chain(*files, password=lambda: "")
    except OSError as error:  # ssl.SSLError is one
        what = " and ".join(filter(None, files))
        raise ValueError(f"{what}: no certificate with its key in PEM: {error}") from error
    return context
