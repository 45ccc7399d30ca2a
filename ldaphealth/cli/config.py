"""`ldaphealth config`: tells whether the configuration file is right."""

from __future__ import annotations

from pathlib import Path

import click

from ldaphealth.cli.targets import load_config


@click.group()
def config() -> None:
    """Work on the configuration file."""


@config.command()
@click.argument(
    "file", type=click.Path(path_type=Path), envvar="LDAPHEALTH_CONFIG",
    default=Path("/etc/ldaphealth/ldaphealth.yaml"),
)  # fmt: skip
def check(file: Path) -> None:
    """Tell all that is wrong with FILE at once, each with its place; exit status 3 if anything."""
    for cluster in load_config(file).values():
        checks = ", ".join(planned.check.name for planned in cluster.checks)
        click.echo(f"{file}: cluster {cluster.name}: {len(cluster.servers)} servers; {checks}")
