"""`ldaphealth config`: tells whether the configuration file is right, and what it may hold."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ldaphealth.cli import BAD_INPUT
from ldaphealth.cli.targets import CONFIG_FILE, as_format, load_config

if TYPE_CHECKING:
    from ldaphealth.settings import Settings


@click.group()
def config() -> None:
    """Work on the configuration file."""


@config.command()
@click.argument(
    "file", type=click.Path(path_type=Path), envvar="LDAPHEALTH_CONFIG", default=CONFIG_FILE
)
@as_format
def check(file: Path, form: str) -> None:
    """Tell all that is wrong with FILE at once.

    Each mistake is told with its place; exit status 3 if there is any.

    \b
    Without FILE: $LDAPHEALTH_CONFIG, or /etc/ldaphealth/ldaphealth.yaml.
    """  # noqa: D301  \b keeps the lines of a paragraph in click's help
    if form == "json":
        _tell_json(file)
        return
    settings = load_config(file)
    if wrong := _wrong_files(settings):
        raise click.ClickException(wrong)
    for cluster in settings.clusters.values():
        checks = ", ".join(planned.check.name for planned in cluster.checks)
        click.echo(f"{file}: cluster {cluster.name}: {len(cluster.servers)} servers; {checks}")


def _tell_json(file: Path) -> None:
    from ldaphealth.config import ConfigError, load  # noqa: PLC0415  loads the checks

    problems: list[str] = []
    clusters: dict[str, object] = {}
    try:
        settings = load(file)
        for cluster in settings.clusters.values():
            clusters[cluster.name] = {
                "servers": [server.name for server in cluster.servers],
                "checks": [planned.check.name for planned in cluster.checks],
            }
        problems = list(filter(None, [_wrong_files(settings)]))
    except ConfigError as error:
        problems = error.problems
    document = {"file": str(file), "problems": problems, "clusters": clusters}
    click.echo(json.dumps(document, indent=2))
    sys.exit(BAD_INPUT if problems else 0)


def _wrong_files(settings: Settings) -> str:
    """Return what is wrong with the files that only the agent reads, at its start, or nothing."""
    from ldaphealth.web.access import http_credentials, server_tls_context  # noqa: PLC0415  loads ssl

    http = settings.agent.http
    try:
        if http:
            http_credentials(http)
            server_tls_context(http)
    except ValueError as error:
        return f"agent.http: {error}"
    return ""


@config.command()
def schema() -> None:
    """Print the JSON Schema of the file.

    Editors complete and check the file with it.

    \b
    For the YAML language server, as the first line of the file:
      # yaml-language-server: $schema=/path/to/ldaphealth.schema.json
    """  # noqa: D301  \b keeps the lines of a paragraph in click's help
    from ldaphealth.checks import BUILT_IN  # noqa: PLC0415
    from ldaphealth.config.json_schema import schema as document  # noqa: PLC0415

    click.echo(json.dumps(document(BUILT_IN.values()), indent=2))
