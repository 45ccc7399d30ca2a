"""`ldaphealth check`: look at servers once and tell the verdicts.

Everything heavy is imported inside, so that `--help` and mistakes on the command line are quick.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ldaphealth.publish import SINKS, Options

if TYPE_CHECKING:
    from ldaphealth.check import Cluster
    from ldaphealth.model import Credentials

BACKSTOP_SECONDS = 2.0


@click.command()
@click.argument("targets", metavar="LDAP-URL...", nargs=-1, required=True)
@click.option("--base", default="", metavar="DN", help="Search here; it must hold an entry.")
@click.option("--bind-dn", default="", metavar="DN", help="Bind as this DN; else anonymously.")
@click.option(
    "--password-file", type=click.Path(path_type=Path), metavar="FILE",
    help="The password of --bind-dn, in a file that only its owner can read.",
)  # fmt: skip
@click.option("--start-tls", is_flag=True, help="Start TLS before the bind.")
@click.option("--ca-file", default="", metavar="FILE", help="Authorities to trust, PEM.")
@click.option(
    "--deadline", type=click.FloatRange(0.1, 300), default=5.0, show_default=True,
    metavar="SECONDS", help="No server gets more time than this for everything together.",
)  # fmt: skip
@click.option(
    "--format", "sink", type=click.Choice(list(SINKS)), default="text", show_default=True,
    help="How to tell the verdicts.",
)  # fmt: skip
@click.option("--dynamic", is_flag=True, help="With keepalived: answer for misc_dynamic.")
def check(  # noqa: PLR0913, PLR0917  one parameter an option
    targets: tuple[str, ...],
    base: str,
    bind_dn: str,
    password_file: Path | None,
    start_tls: bool,
    ca_file: str,
    deadline: float,
    sink: str,
    dynamic: bool,
) -> None:
    """Look at LDAP servers once, as a client does, and tell which are fit for service.

    Servers named together are judged as one cluster that holds the same data.

    \b
    Exit status: 0 every server is in service, 1 at least one is out, 3 bad input.
    With --format keepalived: what MISC_CHECK wants, for exactly one server.

    \b
    Example:
      ldaphealth check --base dc=example,dc=com ldap://ldap1 ldap://ldap2
    """  # noqa: D301  \b keeps the lines of a paragraph in click's help
    if sink == "keepalived" and len(targets) != 1:
        raise click.UsageError("keepalived is told of one server; name exactly one")
    if dynamic and sink != "keepalived":
        raise click.UsageError("--dynamic goes with --format keepalived")
    if bool(bind_dn) != bool(password_file):
        raise click.UsageError("--bind-dn and --password-file go together")
    # getaddrinfo and a bug of ours know no deadline; the kernel does. The shell shows 142.
    signal.setitimer(signal.ITIMER_REAL, deadline + BACKSTOP_SECONDS)
    cluster = _cluster(
        targets, base, _credentials(bind_dn, password_file), start_tls, ca_file, deadline
    )
    from ldaphealth.one_shot import evaluate  # noqa: PLC0415

    snapshot = evaluate([cluster], effects=SINKS[sink].effects)
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    width = shutil.get_terminal_size((100, 24)).columns
    told = SINKS[sink].tell(snapshot, Options(colour, width, dynamic))
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
