"""Check a configuration file, and the files that it names.

A certificate that expires is a warning and not a mistake: the agent must start with it.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
from msgspec import to_builtins

from ldaphealth.checks.certificate import Params, expiry_text
from ldaphealth.cli import BAD_INPUT
from ldaphealth.cli.last_day import last_day, last_day_line
from ldaphealth.cli.targets import load_config, read_agent_config
from ldaphealth.clocks import DAY_SECONDS, epoch_seconds
from ldaphealth.config import ConfigError, load
from ldaphealth.config.cleartext import passwords_in_clear
from ldaphealth.config.mistakes import Mistake
from ldaphealth.config.shadow_differences import differences, shadow_line
from ldaphealth.config.workload_file import with_workloads
from ldaphealth.files.secret_file import SecretFileError
from ldaphealth.ldap.tls import client_tls
from ldaphealth.model import State
from ldaphealth.settings import ConfiguredCheck, Settings
from ldaphealth.text.quantity import quantity


def accepted_settings(file: Path) -> Settings:
    """Return the settings in a file, and print what they warn of.

    click.ClickException: the file has mistakes, and lists them.
    """
    settings = load_config(file, read_agent_config)
    if wrong := wrong_files(settings):
        raise click.ClickException(wrong.text)
    for warning in _warnings(settings):
        click.echo(f"{file}: warning: {warning}", err=True)
    return settings


def check_file(file: Path) -> None:
    """Print the clusters of a file; raise a click exception that lists its mistakes."""
    settings = accepted_settings(file)
    for cluster in settings.clusters.values():
        checks = ", ".join(map(_shown, cluster.checks))
        click.echo(
            f"{file}: cluster {cluster.name}: {quantity(len(cluster.servers), 'server')}; {checks}"
        )
        if shadow := shadow_line(cluster):
            click.echo(f"{file}: cluster {cluster.name}: shadow: {shadow}")
    for name, document in known_last_day(file, settings).items():
        click.echo(f"{file}: cluster {name}: {last_day_line(document)}")


def known_last_day(file: Path, settings: Settings) -> Mapping[str, Mapping[str, Any] | None]:
    """Return by cluster what the settings would have decided; empty, and say why, if unknown."""
    try:
        return last_day(settings)
    except OSError as error:
        click.echo(f"{file}: what it would have decided is not known: {error}", err=True)
        return {}


def check_file_as_json(file: Path) -> None:
    """Print the problems and the clusters of a file as JSON; exit with 3 if there is a problem."""
    problems: list[str] = []
    warnings: list[str] = []
    clusters: dict[str, object] = {}
    decided: Mapping[str, object] = {}
    try:
        settings = with_workloads(load(file))
        for cluster in settings.clusters.values():
            clusters[cluster.name] = {
                "servers": [server.name for server in cluster.servers],
                "checks": [planned.name for planned in cluster.checks],
                "shadow": to_builtins(differences(cluster)) if cluster.shadow else None,
            }
        wrong = wrong_files(settings)
        problems = [wrong.text] if wrong else []
        warnings = list(_warnings(settings))
        with contextlib.suppress(OSError):  # the journal is of no concern to the file
            decided = last_day(settings)
    except ConfigError as error:
        problems = error.problems
    document = {
        "file": str(file),
        "problems": problems,
        "warnings": warnings,
        "clusters": clusters,
        "last_day": decided,
    }
    click.echo(json.dumps(document, indent=2))
    sys.exit(BAD_INPUT if problems else 0)


def _shown(configured: ConfiguredCheck) -> str:
    """Return the name of a check, and its kind if that has another name."""
    kind = configured.check.name
    return configured.name if configured.name == kind else f"{configured.name} ({kind})"


def _warnings(settings: Settings) -> Iterator[str]:
    """Yield a sentence for each password that goes in the clear, and each certificate that expires.

    That is a client certificate that has expired, or will in three weeks.
    """
    yield from passwords_in_clear(settings.clusters.values())
    servers = [each for cluster in settings.clusters.values() for each in cluster.servers]
    for tls in dict.fromkeys(each.tls for each in servers if each.tls.certificate_file):
        expires = client_tls(tls).certificate_expires
        if expires is None:
            continue
        days = (expires - epoch_seconds()) / DAY_SECONDS
        if Params().days_left.state(days) is not State.OK:
            when = expiry_text(days)
            yield f"the client certificate in {tls.certificate_file}, or its chain, {when}"


def wrong_files(settings: Settings) -> Mistake | None:
    """Return what is wrong with the files that only the agent reads at its start."""
    http = settings.agent.http
    if not http:
        return None
    from ldaphealth.web.http_files import read_http_files

    try:
        read_http_files(http)
    except SecretFileError as error:
        return Mistake(f"agent.http: {error}", error.command)
    except ValueError as error:
        return Mistake(f"agent.http: {error}")
    return None
