"""Access to the routes: HTTP credentials, Basic (RFC 7617) and Bearer (RFC 6750).

They are compared in constant time. logins.py checks each request that needs them. http_files.py
reads the files at the start and after a reload.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from enum import Enum, auto
from hmac import compare_digest
from ipaddress import ip_address

import bcrypt
from msgspec import Struct

from ldaphealth.model import Secret

MOST_PASSWORD_BYTES = 72  # that bcrypt uses
OWN_SITES = frozenset({"same-origin", "none"})  # none: a person entered the address

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


def is_of_another_site(fetch_sites: Iterable[str], origins: Iterable[str], host: str) -> bool:
    """Return whether a page that is not of this server caused a request in a browser.

    By the headers Sec-Fetch-Site (W3C Fetch Metadata) and Origin (RFC 6454); without them it was no
    page, or the browser is older than 2023.
    """
    own = f"//{host}".lower()
    return not (
        OWN_SITES.issuperset(fetch_sites)
        and all(each.lower().partition(":")[2] == own for each in origins)
    )


class HttpCredentials(Struct, frozen=True):
    """The accepted credentials. Without any, every client may read.

    `basic` is `user:password`. `hashed` has the passwords by user, hashed with bcrypt.
    """

    basic: Secret | None = None
    token: Secret | None = None
    open_health: bool = False
    hashed: Mapping[str, Secret] = {}

    @property
    def is_open(self) -> bool:
        """Return whether no credentials are required."""
        return self.basic is None and self.token is None and not self.hashed

    def are_required(self, access: Access) -> bool:
        """Return whether a request with this access needs credentials."""
        is_public = access is Access.PUBLIC or (access is Access.HEALTH and self.open_health)
        return not is_public and not self.is_open

    def accept(self, authorization: str) -> bool:
        """Return whether this Authorization header is right.

        With `hashed` it takes as long as their cost makes it: 0.1 s and more of CPU.
        """
        scheme, _, credentials = authorization.partition(" ")
        match scheme.lower():
            case "bearer" if self.token is not None:
                return compare_digest(credentials.strip().encode(), self.token.reveal().encode())
            case "basic":
                try:
                    received = base64.b64decode(credentials.strip().encode(), validate=True)
                except (binascii.Error, ValueError):
                    return False
                return self._accept_basic(received)
        return False

    def _accept_basic(self, received: bytes) -> bool:
        if self.basic is not None:
            return compare_digest(received, self.basic.reveal().encode())
        if not self.hashed:
            return False
        user, _, password = received.partition(b":")
        # An unknown user takes the same time, and is refused whatever the password is.
        known = self.hashed.get(user.decode("utf-8", "replace"))
        hashed = known or next(iter(self.hashed.values()))
        return _matches(password, hashed) and known is not None

    @property
    def challenge(self) -> str:
        """Return the WWW-Authenticate header of a refusal."""
        schemes = []
        if self.basic is not None or self.hashed:
            schemes.append('Basic realm="ldaphealth", charset="UTF-8"')
        if self.token is not None:
            schemes.append('Bearer realm="ldaphealth"')
        return ", ".join(schemes)


def _matches(password: bytes, hashed: Secret) -> bool:
    try:  # htpasswd(1) and Go use the first 72 bytes only, bcrypt 5 refuses more
        return bcrypt.checkpw(password[:MOST_PASSWORD_BYTES], hashed.reveal().encode())
    except ValueError:  # a NUL
        return False
