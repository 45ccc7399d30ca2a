"""`ldaphealth reload`: what a changed configuration would have decided, and then its use."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ldaphealth.cli.agent_request import query_all, query_status
from ldaphealth.cli.options import AgentPlace, agent_options, format_option
from ldaphealth.control.requests import ReloadRequest
from ldaphealth.text.listed import listed
from ldaphealth.text.printable import printable
from ldaphealth.text.quantity import quantity

if TYPE_CHECKING:
    from ldaphealth.settings import Settings

NOT_RELOADED = 1
MOST_NAMES = 4  # of servers
KEPT = "not reloaded: the agent continues with the settings from before"
WOULD_FAIL = "not reloaded; with this file the agent would not start again after it ends"


@click.command("reload")
@agent_options
@format_option
@click.option("--yes", is_flag=True, help="Reload without a question.")
def reload_command(place: AgentPlace, form: str, *, yes: bool) -> None:
    """Have the running agent use its changed configuration file.

    First the file is checked, as by `ldaphealth config check`. For each cluster whose settings
    judge otherwise than before, a line says which removals they would have made in the last day,
    and which there were; that takes 20 seconds at most. You are asked whether to reload if servers
    would have been out of service for longer, if a part of the day could not be judged in that
    time, or if servers would no longer be checked. Without a terminal it is not done then, unless
    --yes is given.

    `systemctl reload ldaphealth-agent` (of shards: 'ldaphealth-shard@*') has the agent read the
    file as well, without these lines. The agent keeps what it uses if the file has a mistake. All
    shards of this host are asked.

    \b
    Exit status: 0 reloaded, 1 not: asked, and the answer was not yes,
                 3 a mistake in the file, refused, or no answer.

    \b
    Examples:
      ldaphealth reload
      ldaphealth reload --yes --format json
    """  # noqa: D301  \b keeps the lines of a paragraph in click's help
    from ldaphealth.cli.config_check import known_last_day
    from ldaphealth.cli.last_day import last_day_line

    file, is_json = place.config_file, form == "json"
    settings = _accepted(file)
    before = [each["server"] for each in query_status(place)["verdicts"]]
    decided = known_last_day(file, settings)
    for name, document in decided.items():
        click.echo(f"cluster {name}: {last_day_line(document)}", err=is_json)
    why = [*_worse(decided), *_gone(before, settings)]
    if why and not yes:
        _ask("; ".join(why), is_json=is_json)
    answers = query_all(place, ReloadRequest(str(file.resolve())))
    needs_restart = any(each["needs_restart"] for each in answers)
    if is_json:
        document = {**answers[0], "needs_restart": needs_restart, "last_day": decided}
        click.echo(json.dumps({"reloaded": True, **document}, indent=2))
        return
    click.echo(f"reloaded: {file}: {_counted(settings)}")
    if needs_restart:
        click.echo("the changes below `agent` are used after a restart of the agent only")


def _accepted(file: Path) -> Settings:
    """Return the settings in the file; click.ClickException with its mistakes."""
    from ldaphealth.cli.config_check import accepted_settings

    try:
        return accepted_settings(file)
    except click.ClickException as error:
        raise click.ClickException(f"{error.format_message()}\n{WOULD_FAIL}") from error


def _worse(decided: Mapping[str, Mapping[str, Any] | None]) -> Iterator[str]:
    """Yield what the last day says against the settings, or does not say."""
    from ldaphealth.cli.last_day import is_part

    longer = [name for name, each in decided.items() if each and _is_out_for_longer(each)]
    if longer:
        yield f"servers of {', '.join(longer)} would have been out of service for longer"
    parts = [name for name, each in decided.items() if is_part(each)]
    if parts:
        yield f"a part of the last day of {', '.join(parts)} was not judged"


def _is_out_for_longer(document: Mapping[str, Any]) -> bool:
    """Return whether servers would have been out of service for longer than they were."""
    before, after = (each["out_of_service"]["seconds"] for each in document["sides"])
    return bool(after > before)


def _gone(before: Sequence[str], settings: Settings) -> Iterator[str]:
    """Yield which servers that the agent has verdicts on would no longer be checked."""
    configured = {server.id for each in settings.clusters.values() for server in each.servers}
    gone = [printable(each) for each in sorted(before) if each not in configured]
    if gone:
        yield f"{listed(gone, MOST_NAMES)} would no longer be checked"


def _counted(settings: Settings) -> str:
    servers = sum(len(each.servers) for each in settings.clusters.values())
    return f"{quantity(len(settings.clusters), 'cluster')}, {quantity(servers, 'server')}"


def _ask(why: str, *, is_json: bool) -> None:
    """Ask whether to reload; without a terminal, or with another answer than yes, exit with 1."""
    if not sys.stdin.isatty():
        click.echo(f"ldaphealth: {KEPT}: {why}; --yes reloads nevertheless", err=True)
    elif click.confirm(f"{why}. Reload nevertheless?", err=True):
        return
    else:
        click.echo(KEPT, err=True)
    if is_json:
        click.echo(json.dumps({"reloaded": False, "why": why}, indent=2))
    sys.exit(NOT_RELOADED)
