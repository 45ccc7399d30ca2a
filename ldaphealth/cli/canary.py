"""`ldaphealth canary`: how to make the entries that the checks write to."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from ldaphealth.cli.by_url import credentials_of
from ldaphealth.cli.targets import as_format, complete, config_option, select

if TYPE_CHECKING:
    from ldaphealth.settings import Cluster

Entries = Mapping[str, Mapping[str, tuple[str, ...]]]
DEADLINE_SECONDS = 10.0  # of each provider that is tried


@click.group()
def canary() -> None:
    """Make the entries that our checks write to.

    These are the checks `write` and `propagation`; they write to no other entry.

    Each agent (each balancer) has entries of its own, one for each server and check: run `plan` or
    `apply` on each of them.
    """


@canary.command()
@click.argument("cluster", shell_complete=complete)
@config_option
@as_format
def plan(cluster: str, config_file: Path, form: str) -> None:
    """Print the entries of this agent in CLUSTER as LDIF.

    An administrator can give it to ldapadd.
    """
    found = _cluster(cluster, config_file)
    entries = _entries(found, config_file)
    if form == "json":
        click.echo(json.dumps(entries, indent=2))
    else:
        click.echo("\n".join(_ldif(entries)))


@canary.command()
@click.argument("cluster", shell_complete=complete)
@config_option
@click.option(
    "--bind-dn",
    default="",
    metavar="DN",
    help="Who may add entries there.  [default: the account of the configuration]",
)
@click.option(
    "--password-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The password of --bind-dn, in a file that only its owner can read.",
)
@as_format
def apply(
    cluster: str, config_file: Path, bind_dn: str, password_file: Path | None, form: str
) -> None:
    """Add the entries of this agent to CLUSTER.

    They are added on its first provider that answers. Replication brings them to the others. An
    entry that is there is left alone, whatever it is.

    \b
    Exit status: 0 all are there, 1 not all, 3 bad input.
    """  # noqa: D301  \b keeps the lines of a paragraph in click's help
    from ldaphealth.tasks.canary_writer import write_canaries  # noqa: PLC0415  loads ldap3

    found = _cluster(cluster, config_file)
    credentials = credentials_of(bind_dn, password_file) if bind_dn or password_file else None
    entries = _entries(found, config_file)
    written = write_canaries(found, entries, credentials, DEADLINE_SECONDS)
    if form == "json":
        click.echo(json.dumps([{"dn": each.dn, "outcome": each.outcome} for each in written]))
    else:
        for each in written:
            click.echo(f"{each.dn}: {each.outcome}")
    sys.exit(0 if all(each.is_there for each in written) else 1)


def _cluster(name: str, config_file: Path) -> Cluster:
    (found,) = select([name], config_file, None).clusters
    return found


def _entries(cluster: Cluster, config_file: Path) -> Entries:
    """Return the entries by DN; click.UsageError when nothing would write to them."""
    from ldaphealth.checks.canary import Purpose, canary_dn, this_agent  # noqa: PLC0415
    from ldaphealth.checks.canary import canary_entry as entry  # noqa: PLC0415
    from ldaphealth.model import Role  # noqa: PLC0415

    params = {each.check.name: each.params for each in cluster.checks}
    entries: dict[str, Mapping[str, tuple[str, ...]]] = {}
    for purpose in get_args(Purpose):
        if purpose in params:
            container, agent = params[purpose].container, params[purpose].agent or this_agent()
            entries |= {
                canary_dn(container, agent, server, purpose): entry(agent, server, purpose)
                for server in cluster.servers
                if purpose == "write" or server.role is Role.PROVIDER
            }
    if not entries:
        hint = "say where their entries are: checks: {write: {container: DN}}"
        raise click.UsageError(
            f"{config_file}: cluster {cluster.name} has no check write or propagation; {hint}"
        )
    return entries


def _ldif(entries: Entries) -> Iterator[str]:
    for dn, attributes in entries.items():
        yield f"dn: {dn}"
        for attribute, values in attributes.items():
            yield from (f"{attribute}: {value}" for value in values)
        yield ""
