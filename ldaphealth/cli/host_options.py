"""The options of check_ldaphealth for one server, as in check_ldap."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import click
from msgspec import Struct
from msgspec.structs import replace

from ldaphealth.ldap.endpoint import DEFAULT_PORTS, Endpoint, parse_uri

ANY = "(objectClass=*)"
START_TLS_PROGRAM = "check_ldaps"


class HostOptions(Struct, frozen=True, kw_only=True):
    """The options for one server. `password` is the value of `-P`."""

    host: str = ""
    port: int | None = None
    ssl: bool = False
    starttls: bool = False
    proxy_protocol: bool = False
    base: str | None = None
    filter: str = ""
    bind_dn: str = ""
    password: str = ""
    password_file: Path | None = None
    ca_file: str = ""

    def __post_init__(self) -> None:
        if self.ssl and self.starttls:
            raise click.UsageError("-S (LDAPS) and -T (StartTLS) exclude each other")
        if self.proxy_protocol and self.host.startswith("/"):
            raise click.UsageError("--proxy-protocol is for TCP, and -H names a Unix socket")
        if self.password and self.password_file:
            raise click.UsageError("-P and --password-file exclude each other")
        if not self.bind_dn and (self.password or self.password_file):
            raise click.UsageError("a password needs a bind DN: -D")
        if self.ca_file and not Path(self.ca_file).is_file():
            raise click.UsageError(f"--ca-file {self.ca_file}: no such file")

    @property
    def bare_host(self) -> str:
        """Return the host without the brackets of an IPv6 address."""
        return self.host.removeprefix("[").removesuffix("]")

    @property
    def uri(self) -> str:
        """Return the LDAP URL of the server; a path is that of a Unix socket, as in check_ldap."""
        if self.host.startswith("/"):
            return f"ldapi://{quote(self.host, safe='')}"
        host = f"[{self.bare_host}]" if ":" in self.host else self.host
        port = "" if self.port is None else f":{self.port}"
        scheme = ("pldap" if self.proxy_protocol else "ldap") + ("s" if self.ssl else "")
        return f"{scheme}://{host}{port}"


def as_check_ldap(options: HostOptions, program: str) -> HostOptions:
    """Return the options with what -H and the name of the program imply.

    -H may be an LDAP URL, or a host and port. As in check_ldap, port 636 implies LDAPS, and a
    program that is called `check_ldaps` starts TLS; so no password goes to them in the clear.
    """
    if not options.host:
        return options
    options = _with_parts_of_host(options)
    if options.ssl or options.starttls or options.host.startswith("/"):
        return options
    if options.port == DEFAULT_PORTS["ldaps"]:
        return replace(options, ssl=True)
    return replace(options, starttls=START_TLS_PROGRAM in Path(program).name)


def _with_parts_of_host(options: HostOptions) -> HostOptions:
    """Return the options with the scheme and the port of -H; click.UsageError if they differ."""
    if "://" not in options.host:
        host, _, port = options.host.rpartition(":")
        is_address = ":" in host and not (host.startswith("[") and host.endswith("]"))
        if not (port.isascii() and port.isdigit()) or is_address or options.host.startswith("/"):
            return options
        endpoint = _parsed(f"ldap://{options.host}")
    else:
        endpoint = _parsed(options.host)
        if options.ssl and not endpoint.is_tls:
            raise click.UsageError(f"-S is LDAPS, and -H is {options.host}")
    if endpoint.is_socket:
        return replace(options, host=endpoint.host)
    if options.port not in (None, endpoint.port):
        raise click.UsageError(f"-p {options.port} and -H {options.host} are different ports")
    return replace(
        options,
        host=endpoint.host,
        port=endpoint.port,
        ssl=options.ssl or endpoint.is_tls,
        proxy_protocol=options.proxy_protocol or endpoint.has_proxy_protocol,
    )


def _parsed(uri: str) -> Endpoint:
    try:
        return parse_uri(uri)
    except ValueError as error:
        raise click.UsageError(f"-H: {error}") from error
