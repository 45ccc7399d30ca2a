"""`ldaphealth canary`: print or add the entries that the checks write to."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from ldaphealth.cli.options import complete, config_option, format_option, of_bind_dn

DEADLINE_SECONDS = 10.0  # for each provider that is tried


@click.group("canary")
def canary_command() -> None:
    """Create the entries that the checks write to.

    The checks `write` and `propagation` write to these entries only.

    Each agent (each balancer) has its own entries, one for each server and check. Run `plan` or
    `apply` on each balancer.
    """


@canary_command.command("plan")
@click.argument("cluster", shell_complete=complete)
@config_option
@format_option
def canary_plan_command(cluster: str, config_file: Path, form: str) -> None:
    """Print the entries of this agent in CLUSTER as LDIF.

    An administrator can add them with ldapadd.

    \b
    Exit status: 0 printed, 3 bad input.

    \b
    Examples:
      ldaphealth canary plan example > canaries.ldif
    """  # noqa: D301  \b keeps the lines of a paragraph in click's help
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
    help="Add the entries as this DN.  [default: the account of the configuration]",
)
@of_bind_dn
@format_option
def canary_apply_command(
    cluster: str, config_file: Path, bind_dn: str, password_file: Path | None, form: str
) -> None:
    """Add the entries of this agent to CLUSTER.

    They are added on the first provider that accepts the bind. Replication copies them to the other
    servers. An entry that already exists is never changed.

    \b
    Exit status: 0 all entries exist, 1 at least one does not, 3 bad input.

    \b
    Examples:
      ldaphealth canary apply example
      ldaphealth canary apply example --bind-dn cn=admin,dc=example,dc=com \\
        --password-file admin.password
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
