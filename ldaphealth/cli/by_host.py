"""One server, given by the options of check_ldap and not by a configuration file.

`check_ldaphealth -H` calls `host_selection`. Every mistake is raised as a click exception.
"""

from __future__ import annotations

import os

import click

from ldaphealth.checks import BUILT_IN, bind, connect, search, unbind
from ldaphealth.cli.by_url import credentials_of
from ldaphealth.cli.host_options import ANY, HostOptions
from ldaphealth.cli.selection import Selection
from ldaphealth.judging.thresholds import Thresholds
from ldaphealth.ldap.endpoint import parse_uri
from ldaphealth.ldap.names import DN, check_bind_name, parse_dn
from ldaphealth.ldap.search_filter import Filter, parse_filter
from ldaphealth.model import BindMethod, Credentials, Secret, Server, Tls
from ldaphealth.settings import Cluster, ConfiguredCheck

PASSWORD_VARIABLE = "LDAP_PASSWORD"  # noqa: S105  the name, as in check_ldap
MOST_ENTRIES = 1000  # the size limit of the search when entries are counted


def host_selection(
    options: HostOptions, entries: Thresholds | None, deadline_seconds: float
) -> Selection:
    """Return the server as a cluster of its own, with the same session as check_ldap.

    The time of single checks is not judged; the caller judges the whole time. With `entries` the
    whole tree is searched and the number of entries is judged. Otherwise only the base is searched.
    """
    if options.base is None:
        raise click.UsageError("-b is missing: the base of the search, such as dc=example,dc=com")
    for option, parse, value in (
        ("-H", parse_uri, options.uri),
        ("-b", parse_dn, options.base),
        ("-D", check_bind_name, options.bind_dn),
        ("-a", parse_filter, options.filter or ANY),
    ):
        try:
            parse(value)
        except ValueError as error:
            raise click.UsageError(f"{option}: {error}") from error
    server = Server(
        cluster="ldap",
        name=options.bare_host,
        uri=options.uri,
        suffix=options.base,
        credentials=_credentials(options),
        tls=Tls(start_tls=options.starttls, ca_file=options.ca_file),
    )
    checks = _checks(DN(options.base), Filter(options.filter or ANY), entries)
    cluster = Cluster(
        name="ldap",
        servers=(server,),
        checks=checks,
        min_in_service=0,
        deadline_seconds=deadline_seconds,
        second_look_seconds=0,
    )
    return Selection.of_whole(cluster)


def _checks(base: DN, wanted: Filter, entries: Thresholds | None) -> tuple[ConfiguredCheck, ...]:
    any_time = Thresholds()
    searched = search.Params(
        base=base,
        scope="base" if entries is None else "sub",
        filter=wanted,
        size_limit=MOST_ENTRIES,
        entries=entries or any_time,
        seconds=any_time,
    )
    params = {
        "connect": connect.Params(any_time),
        "bind": bind.Params(any_time),
        "search": searched,
        "unbind": unbind.Params(any_time),
    }
    return tuple(
        ConfiguredCheck(BUILT_IN[name], each, BUILT_IN[name].effect)
        for name, each in params.items()
    )


def _credentials(options: HostOptions) -> Credentials:
    """Return the credentials. The password is that of a file, of -P, or of the environment."""
    if options.password_file or not options.bind_dn:
        return credentials_of(options.bind_dn, options.password_file)
    variable = "" if options.password else PASSWORD_VARIABLE
    password = options.password or os.environ.get(variable, "")
    if not password:
        raise click.UsageError(
            f"-D needs a password: --password-file FILE, or {PASSWORD_VARIABLE} in the environment"
        )
    secret = Secret(password)
    return Credentials(BindMethod.SIMPLE, options.bind_dn, secret, password_env=variable)
