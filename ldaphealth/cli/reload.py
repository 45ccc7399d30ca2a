"""`ldaphealth reload`: what a changed configuration would have decided, and then its use."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ldaphealth.cli.agent_request import query_all
from ldaphealth.cli.options import AgentPlace, agent_options, format_option
from ldaphealth.control.requests import ReloadRequest

if TYPE_CHECKING:
    from ldaphealth.settings import Settings

NOT_RELOADED = 1
KEPT = "not reloaded: the agent continues with the settings from before"


@click.command("reload")
@agent_options
@format_option
@click.option("--yes", is_flag=True, help="Reload without a question.")
def reload_command(place: AgentPlace, form: str, *, yes: bool) -> None:
    """Have the running agent use its changed configuration file.

    First the file is checked, as by `ldaphealth config check`. For each cluster whose settings
    judge otherwise than before, a line says which removals they would have made in the last day,
    and which there were; that takes 20 seconds at most. If servers would have been out of service
    for longer, you are asked whether to reload; without a terminal it is not done, unless --yes is
    given.

    `systemctl reload ldaphealth-agent` has the agent read the file as well, without these lines.
    The agent keeps what it uses if the file has a mistake. All shards of this host are asked.

    \b
    Exit status: 0 reloaded, 1 not: servers would have been out of service longer,
                 3 a mistake in the file, refused, or no answer.

    \b
    Examples:
      ldaphealth reload
      ldaphealth reload --yes --format json
    """  # noqa: D301  \b keeps the lines of a paragraph in click's help
    from ldaphealth.cli.config_check import known_last_day
    from ldaphealth.cli.last_day import last_day_line

    file = place.config_file
    decided = known_last_day(file, _accepted(file))
    for name, document in decided.items():
        click.echo(f"cluster {name}: {last_day_line(document)}", err=form == "json")
    longer = [name for name, document in decided.items() if _is_out_for_longer(document)]
    if longer and not yes:
        _ask(longer)
    answers = query_all(place, ReloadRequest(str(file.resolve())))
    needs_restart = any(each["needs_restart"] for each in answers)
    if form == "json":
        document = {**answers[0], "needs_restart": needs_restart, "last_day": decided}
        click.echo(json.dumps(document, indent=2))
        return
    click.echo(f"reloaded: {file}")
    if needs_restart:
        click.echo("the changes below `agent` are used after a restart of the agent only")


def _accepted(file: Path) -> Settings:
    """Return the settings in the file; click.ClickException with its mistakes."""
    from ldaphealth.cli.config_check import accepted_settings

    try:
        return accepted_settings(file)
    except click.ClickException as error:
        raise click.ClickException(f"{error.format_message()}\n{KEPT}") from error


def _is_out_for_longer(document: Mapping[str, Any]) -> bool:
    """Return whether servers would have been out of service for longer than they were."""
    before, after = (each["out_of_service"]["seconds"] for each in document["sides"])
    return bool(after > before)


def _ask(clusters: list[str]) -> None:
    """Ask whether to reload; without a terminal, or with another answer than yes, exit with 1."""
    why = f"servers of {', '.join(clusters)} would have been out of service for longer"
    if not sys.stdin.isatty():
        click.echo(f"ldaphealth: {KEPT}: {why}; --yes reloads nevertheless", err=True)
        sys.exit(NOT_RELOADED)
    if not click.confirm(f"{why}. Reload nevertheless?", err=True):
        click.echo(KEPT, err=True)
        sys.exit(NOT_RELOADED)
