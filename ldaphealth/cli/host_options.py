"""The options of check_ldaphealth for one server, as in check_ldap."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import click
from msgspec import Struct

ANY = "(objectClass=*)"


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
