"""Servers given on the command line as LDAP URLs, with their options.

`ldaphealth check` calls `url_selection`. No configuration file is read.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from ldaphealth.checks import BUILT_IN
from ldaphealth.cli.selection import Selection
from ldaphealth.cli.url_options import UrlOptions
from ldaphealth.files.secret_file import read_secret
from ldaphealth.ldap.endpoint import Endpoint, parse_uri
from ldaphealth.ldap.names import check_bind_name, parse_dn
from ldaphealth.model import BindMethod, Credentials, Server, Tls
from ldaphealth.settings import Cluster, ConfiguredCheck

DEADLINE_SECONDS = 5.0
SECOND_LOOK_SECONDS = 1.0


def url_selection(
    uris: Iterable[str], options: UrlOptions, deadline_seconds: float | None
) -> Selection:
    """Return the servers as one cluster, with the checks that need no settings.

    Raise click.UsageError if the options are wrong.
    """
    servers = _servers(uris, options)
    # The check `replication` needs a naming context and several servers.
    replication = ["replication"] if options.base and len(servers) > 1 else []
    wanted = [BUILT_IN[name] for name in ("connect", "bind", "search", *replication, "unbind")]
    deadline = deadline_seconds or DEADLINE_SECONDS
    cluster = Cluster(
        name="cluster",
        servers=servers,
        checks=tuple(ConfiguredCheck(each, each.params(), each.effect) for each in wanted),
        min_in_service=(len(servers) + 1) // 2 if len(servers) > 1 else 0,
        deadline_seconds=deadline,
        second_look_seconds=min(SECOND_LOOK_SECONDS, deadline / 4),
    )
    return Selection.of_whole(cluster)


def _servers(uris: Iterable[str], options: UrlOptions) -> tuple[Server, ...]:
    if options.ca_file and not Path(options.ca_file).is_file():
        raise click.UsageError(f"--ca-file {options.ca_file}: no such file")
    try:
        parse_dn(options.base)
    except ValueError as error:
        raise click.UsageError(f"--base: {error}") from error
    credentials = credentials_of(options.bind_dn, options.password_file)
    tls = Tls(start_tls=options.start_tls or None, ca_file=options.ca_file)
    servers: dict[str, Server] = {}
    for uri in uris:
        endpoint = _endpoint(uri, start_tls=options.start_tls)
        name = endpoint.host + (f":{endpoint.port}" if endpoint.port else "")
        if name in servers:
            raise click.UsageError(f"{uri} is given twice")
        servers[name] = Server(
            cluster="cluster",
            name=name,
            uri=uri,
            suffix=options.base,
            credentials=credentials,
            tls=tls,
        )
    return tuple(servers.values())


def credentials_of(bind_dn: str, password_file: Path | None) -> Credentials:
    """Return the credentials that the options give; anonymous without them."""
    if bool(bind_dn) != bool(password_file):
        raise click.UsageError("--bind-dn and --password-file must be given together")
    if password_file is None:
        return Credentials()
    try:
        check_bind_name(bind_dn)
        secret = read_secret(password_file)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    return Credentials(BindMethod.SIMPLE, bind_dn, secret, password_file=str(password_file))


def _endpoint(uri: str, *, start_tls: bool) -> Endpoint:
    try:
        endpoint = parse_uri(uri)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if endpoint.is_tls and start_tls:
        raise click.UsageError(f"--start-tls is for ldap://, not for {endpoint.scheme}://")
    return endpoint
