"""Endpoints: the host and port of an LDAP URL (RFC 4516), or a HOST:PORT on which to listen.

config/ and the command line parse URLs here; transport.py connects to the result.
"""

from __future__ import annotations

import os
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from socket import inet_aton
from stat import S_ISSOCK
from urllib.parse import unquote, urlsplit

from msgspec import Struct

# `pldap` and `pldaps` are those of slapd(8) for listeners that expect the PROXY protocol.
DEFAULT_PORTS = {"ldap": 389, "ldaps": 636, "ldapi": 0, "pldap": 389, "pldaps": 636}

SOCKET_PATH_BYTES = 107  # without the final NUL, unix(7)
BROADCAST = IPv4Address("255.255.255.255")


class Endpoint(Struct, frozen=True):
    """A host and port, or the path of a Unix socket (`ldapi`, port 0); `tcp` is to listen on."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.url_host}:{self.port}"

    @property
    def url_host(self) -> str:
        """Return the host as it stands in a URL: an IPv6 address in brackets (RFC 3986 3.2.2)."""
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def is_tls(self) -> bool:
        """Return whether TLS starts before the first LDAP message."""
        return self.scheme in {"ldaps", "pldaps"}

    @property
    def has_proxy_protocol(self) -> bool:
        """Return whether the scheme says that the PROXY protocol is expected on this port."""
        return self.scheme in {"pldap", "pldaps"}

    @property
    def is_socket(self) -> bool:
        """Return whether this is a Unix socket."""
        return self.scheme == "ldapi"

    @property
    def is_loopback(self) -> bool:
        """Return whether data that is sent never leaves this host."""
        if self.is_socket or self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False


@lru_cache(maxsize=4096)  # a session needs it, and the URIs of servers seldom change
def parse_uri(uri: str) -> Endpoint:
    """Parse `ldap://host[:port]`, `ldaps://…` or `ldapi://%2Fpath`; ValueError if it is not one.

    With `pldap://` and `pldaps://` each connection begins with the PROXY protocol (slapd(8)).

    The rest of an LDAP URL (DN, attributes, scope, filter) is not accepted; there are settings for
    that.
    """
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{uri!r} is not an LDAP URL: {error}") from error
    scheme = parts.scheme.lower()
    if scheme not in DEFAULT_PORTS:
        raise ValueError(
            f"{uri!r} is not an LDAP URL: write ldap://HOST, ldaps://HOST or ldapi://%2F…"
        )
    if "@" in parts.netloc:
        raise ValueError("an LDAP URL has no user or password; use credentials")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError(f"{uri!r} has more than a host and port; the base is another setting")
    if scheme == "ldapi":
        return Endpoint(scheme, _socket_path(uri, unquote(parts.netloc)), 0)
    if not parts.hostname or any(c.isspace() or not c.isprintable() for c in parts.hostname):
        raise ValueError(f"{uri!r} has no host")
    if port == 0:
        raise ValueError(f"{uri!r} has port 0")
    if wrong := _wrong_host(parts.hostname):
        raise ValueError(f"{uri!r} cannot be used: {wrong}")
    return Endpoint(scheme, parts.hostname, port or DEFAULT_PORTS[scheme])


def _socket_path(uri: str, path: str) -> str:
    """Return the path of a Unix socket; ValueError if it can be none."""
    if not path.startswith("/"):
        raise ValueError(f"{uri!r} has no socket; write ldapi://%2Frun%2Fslapd%2Fldapi")
    if not path.isprintable():
        raise ValueError(f"{uri!r} has a socket with control characters")
    if len(os.fsencode(path)) > SOCKET_PATH_BYTES:
        raise ValueError(f"{uri!r} has a socket path of more than {SOCKET_PATH_BYTES} bytes")
    return path


def _wrong_host(host: str) -> str:
    """Return why a host can never be connected to, "" if it may be."""
    try:
        address = ip_address(host)
    except ValueError:
        return _wrong_name(host)
    if address.is_multicast or address == BROADCAST:
        return f"{host} is not the address of one host"
    if isinstance(address, IPv6Address) and address.is_link_local and not address.scope_id:
        return f"{host} is link-local and needs its interface, as in [{host}%eth0] (RFC 4007 11)"
    return ""


def _wrong_name(host: str) -> str:
    """Return why a host that is no address cannot be a name either, "" if it can."""
    try:
        if not _is_plain_name(host):
            host.encode("idna")  # as getaddrinfo() does
    except UnicodeError:
        return "a part of the name is empty, or too long for DNS"
    if host.rpartition(".")[2].isdigit():  # a top-level domain is alphabetic, RFC 3696 2
        try:
            inet_aton(host)  # takes 127.1, too
        except OSError:
            return f"{host} is not an IPv4 address"
    return ""


def _is_plain_name(host: str) -> bool:
    """Return whether it is a name of ASCII with labels of lengths that DNS has (RFC 1035 2.3.4).

    Then idna, which takes a millisecond to load, encodes it as it is.
    """
    return host.isascii() and all(0 < len(label) < 64 for label in host.split("."))  # noqa: PLR2004


def is_other_file(path: str) -> bool:
    """Return whether there is something at the path that is not a socket."""
    try:
        return not S_ISSOCK(Path(path).stat().st_mode)
    except OSError:
        return False


def parse_listen(text: str) -> Endpoint:
    """Parse `HOST:PORT`, `[ADDRESS]:PORT` for IPv6; ValueError if it is not one."""
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"{text!r} is not HOST:PORT: {error}") from error
    if not host or not port or parts.netloc != text or "@" in text or not text.isprintable():
        raise ValueError(f"{text!r} is not HOST:PORT, such as 127.0.0.1:8389 or [::1]:8389")
    return Endpoint("tcp", host, port)
