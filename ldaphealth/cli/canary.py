"""`ldaphealth canary`: how to make the entries that the write check writes to."""

from __future__ import annotations

from pathlib import Path

import click

from ldaphealth.cli.targets import configured


@click.group()
def canary() -> None:
    """Prepare the entries that the write check writes to."""


@canary.command()
@click.argument("cluster")
@click.option(
    "--config", "config_file", type=click.Path(path_type=Path), envvar="LDAPHEALTH_CONFIG",
    default=Path("/etc/ldaphealth/ldaphealth.yaml"), show_default=True, metavar="FILE",
)  # fmt: skip
def plan(cluster: str, config_file: Path) -> None:
    """Print the entries of this agent in CLUSTER as LDIF, for ldapadd by an administrator.

    Each agent (each balancer) has entries of its own: run it on each of them.
    """
    from ldaphealth.canary import canary as entry  # noqa: PLC0415
    from ldaphealth.canary import canary_dn, this_agent  # noqa: PLC0415

    (found,), _ = configured([cluster], config_file, None)
    planned = [each for each in found.checks if each.check.name == "write"]
    if not planned:
        raise click.UsageError(f"{config_file}: cluster {found.name} has no check named write")
    params = planned[0].params
    agent = params.agent or this_agent()
    for server in found.servers:
        click.echo(f"dn: {canary_dn(params.container, agent, server)}")
        for attribute, values in entry(agent, server).items():
            for value in values:
                click.echo(f"{attribute}: {value}")
        click.echo()
