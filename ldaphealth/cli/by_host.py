"""One server as check_ldap's options name it; no configuration file is involved.

`check_ldaphealth -H` calls `cluster`. Every mistake becomes a click exception.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import click
from msgspec import Struct

if TYPE_CHECKING:
    from ldaphealth.judging.thresholds import Thresholds
    from ldaphealth.model import Credentials
    from ldaphealth.settings import Cluster

ANY = "(objectClass=*)"
PASSWORD_VARIABLE = "LDAP_PASSWORD"  # noqa: S105  its name, which is check_ldap's
MOST_ENTRIES = 1000  # what the server is asked for when entries are counted


class HostOptions(Struct, frozen=True, kw_only=True):
    """What check_ldap's options say of one server; `password` is what came with `-P`."""

    host: str = ""
    port: int | None = None
    ssl: bool = False
    starttls: bool = False
    base: str | None = None
    filter: str = ""
    bind_dn: str = ""
    password: str = ""
    password_file: Path | None = None
    ca_file: str = ""

    def __post_init__(self) -> None:
        if self.ssl and self.starttls:
            raise click.UsageError("-S (TLS at once) and -T (StartTLS) exclude each other")
        if self.filter and "=" not in self.filter:
            raise click.UsageError(f"-a {self.filter}: no filter; write {self.filter}=*")
        if self.password and self.password_file:
            raise click.UsageError("-P and --password-file exclude each other")
        if not self.bind_dn and (self.password or self.password_file):
            raise click.UsageError("a password needs a DN to bind as: -D")
        if self.ca_file and not Path(self.ca_file).is_file():
            raise click.UsageError(f"--ca-file {self.ca_file}: no such file")

    @property
    def bare_host(self) -> str:
        """Return the host without the brackets that an IPv6 address may have."""
        return self.host.removeprefix("[").removesuffix("]")

    @property
    def uri(self) -> str:
        """Return the LDAP URL of the server; a path is a Unix socket, as for check_ldap."""
        if self.host.startswith("/"):
            return f"ldapi://{quote(self.host, safe='')}"
        host = f"[{self.bare_host}]" if ":" in self.host else self.host
        port = "" if self.port is None else f":{self.port}"
        return f"{'ldaps' if self.ssl else 'ldap'}://{host}{port}"

    def filter_text(self) -> str:
        """Return the filter; check_ldap's need no parentheses."""
        given = self.filter or ANY
        return given if given.startswith("(") else f"({given})"


def cluster(options: HostOptions, entries: Thresholds | None, deadline_seconds: float) -> Cluster:
    """Return the server as a cluster of its own, with the session that check_ldap has.

    As there only the whole time is judged, by the caller, and the number of entries where it is
    asked for: then the whole tree is searched, otherwise the base alone.
    """
    # Heavy, and not needed for `--help`.
    from ldaphealth.checks import BUILT_IN, bind, connect, search, unbind  # noqa: PLC0415
    from ldaphealth.judging.thresholds import Thresholds  # noqa: PLC0415
    from ldaphealth.ldap.endpoint import parse_uri  # noqa: PLC0415
    from ldaphealth.model import Server, Tls  # noqa: PLC0415
    from ldaphealth.settings import Cluster, ConfiguredCheck  # noqa: PLC0415

    if options.base is None:
        raise click.UsageError("-b is missing: where to search, such as dc=example,dc=com")
    try:
        parse_uri(options.uri)
    except ValueError as error:
        raise click.UsageError(f"-H: {error}") from error
    server = Server(
        cluster="ldap",
        name=options.bare_host,
        uri=options.uri,
        suffix=options.base,
        credentials=_credentials(options),
        tls=Tls(start_tls=options.starttls, ca_file=options.ca_file),
    )
    any_time = Thresholds()
    wanted = search.Params(
        base=options.base,
        scope="base" if entries is None else "sub",
        filter=options.filter_text(),
        size_limit=MOST_ENTRIES,
        entries=entries or Thresholds(),
        seconds=any_time,
    )
    params = {
        "connect": connect.Params(any_time),
        "bind": bind.Params(any_time),
        "search": wanted,
        "unbind": unbind.Params(any_time),
    }
    planned = tuple(
        ConfiguredCheck(BUILT_IN[name], each, BUILT_IN[name].effect)
        for name, each in params.items()
    )
    return Cluster(
        name="ldap",
        servers=(server,),
        checks=planned,
        min_in_service=0,
        deadline_seconds=deadline_seconds,
        second_look_seconds=0,
    )


def _credentials(options: HostOptions) -> Credentials:
    """Return who we are: of three places for a password the safest that was used."""
    from ldaphealth.cli.by_url import credentials_of  # noqa: PLC0415
    from ldaphealth.model import BindMethod, Credentials, Secret  # noqa: PLC0415

    if options.password_file or not options.bind_dn:
        return credentials_of(options.bind_dn, options.password_file)
    password = options.password or os.environ.get(PASSWORD_VARIABLE, "")
    if not password:
        raise click.UsageError(
            f"-D needs a password: --password-file FILE, or {PASSWORD_VARIABLE} in the environment"
        )
    return Credentials(BindMethod.SIMPLE, options.bind_dn, Secret(password))
