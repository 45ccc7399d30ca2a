"""Check a configuration file, and the files that it names for the agent."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from ldaphealth.cli import BAD_INPUT
from ldaphealth.cli.targets import load_config
from ldaphealth.config import ConfigError, load
from ldaphealth.settings import Settings
from ldaphealth.web.access import http_credentials, server_tls_context


def check_file(file: Path) -> None:
    """Print the clusters of a file; raise a click exception that lists its mistakes."""
    settings = load_config(file)
    if wrong := _wrong_files(settings):
        raise click.ClickException(wrong)
    for cluster in settings.clusters.values():
        checks = ", ".join(planned.check.name for planned in cluster.checks)
        click.echo(f"{file}: cluster {cluster.name}: {len(cluster.servers)} servers; {checks}")


def check_file_as_json(file: Path) -> None:
    """Print the problems and the clusters of a file as JSON; exit with 3 if there is a problem."""
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
    """Return what is wrong with the files that only the agent reads at its start, or ""."""
    http = settings.agent.http
    try:
        if http:
            http_credentials(http)
            server_tls_context(http)
    except ValueError as error:
        return f"agent.http: {error}"
    return ""
