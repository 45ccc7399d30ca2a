"""`ldaphealth check`: look at servers once and tell the verdicts.

Everything heavy is imported inside, so that `--help` and mistakes on the command line are quick.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ldaphealth.cli.targets import configured
from ldaphealth.publish import SINKS, Options

if TYPE_CHECKING:
    from ldaphealth.check import Cluster
    from ldaphealth.model import Credentials

BACKSTOP_SECONDS = 2.0


@click.command()
@click.argument("targets", metavar="[CLUSTER[/SERVER] | LDAP-URL]...", nargs=-1)
@click.option(
    "--config", "config_file", type=click.Path(path_type=Path), envvar="LDAPHEALTH_CONFIG",
    default=Path("/etc/ldaphealth/ldaphealth.yaml"), show_default=True, metavar="FILE",
    help="Where the clusters are described; an LDAP URL needs none.",
)  # fmt: skip
@click.option("--base", default="", metavar="DN", help="With a URL: the suffix of its data.")
@click.option("--bind-dn", default="", metavar="DN", help="With a URL: bind as this DN.")
@click.option(
    "--password-file", type=click.Path(path_type=Path), metavar="FILE",
    help="The password of --bind-dn, in a file that only its owner can read.",
)  # fmt: skip
@click.option("--start-tls", is_flag=True, help="With a URL: start TLS before the bind.")
@click.option("--ca-file", default="", metavar="FILE", help="With a URL: authorities to trust.")
@click.option(
    "--deadline", type=click.FloatRange(0.1, 300), metavar="SECONDS",
    help="No server gets more time than this for everything together.  [default: 5, or the "
    "cluster's]",
)  # fmt: skip
@click.option(
    "--format", "sink", type=click.Choice(list(SINKS)), default="text", show_default=True,
    help="How to tell the verdicts.",
)  # fmt: skip
@click.option("--dynamic", is_flag=True, help="With keepalived: answer for misc_dynamic.")
def check(  # noqa: PLR0913, PLR0917  one parameter an option
    targets: tuple[str, ...],
    config_file: Path,
    base: str,
    bind_dn: str,
    password_file: Path | None,
    start_tls: bool,
    ca_file: str,
    deadline: float | None,
    sink: str,
    dynamic: bool,
) -> None:
    """Look at LDAP servers once, as a client does, and tell which are fit for service.

    Without arguments: every cluster of the configuration. A server is always judged among its whole
    cluster. Servers given as URLs are judged as one cluster that holds the same data.

    \b
    Exit status: 0 every server is in service, 1 at least one is out, 3 bad input.
    With --format keepalived: what MISC_CHECK wants, for exactly one server.

    \b
    Examples:
      ldaphealth check
      ldaphealth check example/ldap1 --format keepalived
      ldaphealth check --base dc=example,dc=com ldap://ldap1 ldap://ldap2
    """  # noqa: D301  \b keeps the lines of a paragraph in click's help
    by_url = [target for target in targets if "://" in target]
    if by_url and len(by_url) < len(targets):
        raise click.UsageError("name clusters or URLs, not both")
    if not by_url and (base or bind_dn or password_file or start_tls or ca_file):
        raise click.UsageError("--base, --bind-dn and the like go with an LDAP URL")
    if dynamic and sink != "keepalived":
        raise click.UsageError("--dynamic goes with --format keepalived")
    if bool(bind_dn) != bool(password_file):
        raise click.UsageError("--bind-dn and --password-file go together")
    if by_url:
        credentials = _credentials(bind_dn, password_file)
        clusters = [_cluster(targets, base, credentials, start_tls, ca_file, deadline or 5.0)]
        wanted: frozenset[str] = frozenset()
    else:
        clusters, wanted = configured(targets, config_file, deadline)
    told_of = wanted or {server.id for each in clusters for server in each.servers}
    if sink == "keepalived" and len(told_of) != 1:
        raise click.UsageError("keepalived is told of one server; name exactly one")
    # getaddrinfo and a bug of ours know no deadline; the kernel does. The shell shows 142.
    longest = max(each.deadline_seconds for each in clusters)
    signal.setitimer(signal.ITIMER_REAL, longest + BACKSTOP_SECONDS)
    from ldaphealth.one_shot import evaluate  # noqa: PLC0415

    snapshot = evaluate(clusters, effects=SINKS[sink].effects)
    chosen = tuple(verdict for verdict in snapshot.verdicts if verdict.server in told_of)
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    width = shutil.get_terminal_size((100, 24)).columns
    told = SINKS[sink].tell(replace(snapshot, verdicts=chosen), Options(colour, width, dynamic))
    click.echo(told.text)
    sys.exit(told.exit_status)


def _credentials(bind_dn: str, password_file: Path | None) -> Credentials:
    from ldaphealth.model import BindMethod, Credentials  # noqa: PLC0415
    from ldaphealth.secret_file import read_secret  # noqa: PLC0415

    if password_file is None:
        return Credentials()
    try:
        secret = read_secret(password_file)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    return Credentials(BindMethod.SIMPLE, bind_dn, secret)


def _cluster(  # noqa: PLR0913, PLR0917
    targets: tuple[str, ...],
    base: str,
    credentials: Credentials,
    start_tls: bool,
    ca_file: str,
    deadline_seconds: float,
) -> Cluster:
    """Return the cluster that the command line names, with the checks that need no settings."""
    from ldaphealth.check import Cluster, Planned  # noqa: PLC0415
    from ldaphealth.checks import BUILT_IN  # noqa: PLC0415
    from ldaphealth.endpoint import parse_uri  # noqa: PLC0415
    from ldaphealth.model import Server, Tls  # noqa: PLC0415

    if ca_file and not Path(ca_file).is_file():
        raise click.UsageError(f"--ca-file {ca_file}: no such file")
    names: dict[str, Server] = {}
    for uri in targets:
        try:
            endpoint = parse_uri(uri)
        except ValueError as error:
            raise click.UsageError(str(error)) from error
        if endpoint.is_tls and start_tls:
            raise click.UsageError("--start-tls goes with ldap://, not with ldaps://")
        name = endpoint.host + (f":{endpoint.port}" if endpoint.port else "")
        if name in names:
            raise click.UsageError(f"{uri} is named twice")
        tls = Tls(start_tls=start_tls, ca_file=ca_file)
        names[name] = Server("cluster", name, uri, base, credentials=credentials, tls=tls)
    # Replication needs a naming context, and servers to compare.
    replication = ["replication"] if base and len(names) > 1 else []
    wanted = [BUILT_IN[name] for name in ("connect", "bind", "search", *replication, "unbind")]
    return Cluster(
        "cluster",
        tuple(names.values()),
        tuple(Planned(each, each.params(), each.effect) for each in wanted),
        min_in_service=(len(names) + 1) // 2 if len(names) > 1 else 0,
        deadline_seconds=deadline_seconds,
        second_look_seconds=min(1.0, deadline_seconds / 4),
    )
