"""`ldaphealth canary`: how to make the entries that the checks write to."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from ldaphealth.cli.options import as_format, complete, config_option

DEADLINE_SECONDS = 10.0  # of each provider that is tried


@click.group("canary")
def canary_command() -> None:
    """Make the entries that our checks write to.

    These are the checks `write` and `propagation`; they write to no other entry.

    Each agent (each balancer) has entries of its own, one for each server and check: run `plan` or
    `apply` on each of them.
    """


@canary_command.command("plan")
@click.argument("cluster", shell_complete=complete)
@config_option
@as_format
def canary_plan_command(cluster: str, config_file: Path, form: str) -> None:
    """Print the entries of this agent in CLUSTER as LDIF.

    An administrator can give it to ldapadd.
    """
    from ldaphealth.cli.canary_entries import configured_entries, entries_as_ldif

    _, entries = configured_entries(cluster, config_file)
    if form == "json":
        click.echo(json.dumps(entries, indent=2))
    else:
        click.echo("\n".join(entries_as_ldif(entries)))


@canary_command.command("apply")
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
def canary_apply_command(
    cluster: str, config_file: Path, bind_dn: str, password_file: Path | None, form: str
) -> None:
    """Add the entries of this agent to CLUSTER.

    They are added on its first provider that answers. Replication brings them to the others. An
    entry that is there is left alone, whatever it is.

    \b
    Exit status: 0 all are there, 1 not all, 3 bad input.
    """  # noqa: D301  \b keeps the lines of a paragraph in click's help
    from ldaphealth.cli.by_url import credentials_of
    from ldaphealth.cli.canary_entries import configured_entries
    from ldaphealth.tasks.canary_writer import write_canaries  # ldap3

    found, entries = configured_entries(cluster, config_file)
    credentials = credentials_of(bind_dn, password_file) if bind_dn or password_file else None
    written = write_canaries(found, entries, credentials, DEADLINE_SECONDS)
    if form == "json":
        click.echo(json.dumps([{"dn": each.dn, "outcome": each.outcome} for each in written]))
    else:
        for each in written:
            click.echo(f"{each.dn}: {each.outcome}")
    sys.exit(0 if all(each.is_there for each in written) else 1)
