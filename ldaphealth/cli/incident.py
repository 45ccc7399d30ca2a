"""`ldaphealth incident`: mark what was really wrong, and when.

`past_incidents.py` reads and writes them; commands.py loads the group when it is used.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ldaphealth.cli.option_types import MomentText, ReasonText, WholeNumber
from ldaphealth.cli.options import (
    READ_PATH,
    AgentPlace,
    agent_options,
    complete,
    format_option,
)
from ldaphealth.cli.past_incidents import change_incidents, incidents_of
from ldaphealth.clocks import EpochSeconds, epoch_seconds
from ldaphealth.control.requests import (
    AddIncidentRequest,
    EndIncidentRequest,
    RemoveIncidentRequest,
)
from ldaphealth.text.incident_words import incident_line
from ldaphealth.text.moment import moment

CLOCKS_APART_SECONDS = 60.0  # of this host and one from which a time was copied

incidents_option = click.option(
    "--incidents",
    "file",
    type=READ_PATH,
    metavar="FILE",
    help="Read the incidents of FILE, in YAML, in place of those that the agent keeps.",
)


@click.group("incident")
def incident_command() -> None:
    """Mark what was really wrong with servers, and when.

    A verdict says what the checks found; an incident says what users had to bear.
    """


@incident_command.command("add")
@click.argument("target", metavar="CLUSTER[/SERVER]", shell_complete=complete)
@click.option(
    "--from",
    "began",
    type=MomentText(),
    required=True,
    metavar="TIME",
    help="When it began, in UTC unless it has another offset, such as 2026-11-23T03:12Z or "
    "2026-11-23T04:12+01:00, or how long ago, such as 2h.",
)
@click.option(
    "--to",
    "ended",
    type=MomentText(),
    metavar="TIME",
    help="When it ended. Without it the incident lasts, until `incident end`.",
)
@click.option(
    "--note",
    type=ReasonText(),
    required=True,
    help="What was wrong, in a few words.",
)
@agent_options
@format_option
def add_command(target: str, place: AgentPlace, form: str, **given: Any) -> None:
    """Mark an incident of a server or of a cluster as a whole.

    The agent keeps it, with your name, in incidents.yaml of its state directory. While no agent
    runs, its user can mark incidents too.

    \b
    Exit status: 0 marked, 3 refused or no answer.

    \b
    Examples:
      ldaphealth incident add example/ldap2 --from 2026-11-23T03:12Z \\
          --to 2026-11-23T03:40Z --note "logins hung, ticket 4711"
      ldaphealth incident add example --from 20m --note "no logins at all"
    """  # noqa: D301  \b keeps the lines of a paragraph in click's help
    began, ended = given["began"], given["ended"]
    _refuse_future("--from", began)
    _refuse_future("--to", ended)
    if ended is not None and ended // 1 <= began // 1:
        raise click.UsageError(f"--to {moment(ended)} is not after --from {moment(began)}")
    request = AddIncidentRequest(
        target=target, from_epoch=began, to_epoch=ended, note=given["note"]
    )
    _change(place, request, form, "marked: ")


@incident_command.command("end")
@click.argument("number", metavar="ID", type=WholeNumber(1))
@click.option(
    "--to",
    "ended",
    type=MomentText(),
    metavar="TIME",
    help="When it ended.  [default: now]",
)
@agent_options
@format_option
def end_command(number: int, ended: EpochSeconds | None, place: AgentPlace, form: str) -> None:
    """Mark the end of an incident, or another end. `incident list` shows its ID.

    \b
    Exit status: 0 done, 3 refused or no answer.

    \b
    Examples:
      ldaphealth incident end 3
      ldaphealth incident end 3 --to 2026-11-23T03:40Z
    """  # noqa: D301  \b keeps the lines of a paragraph in click's help
    _refuse_future("--to", ended)
    at = epoch_seconds() if ended is None else ended
    _change(place, EndIncidentRequest(id=number, to_epoch=at), form, "ended: ")


@incident_command.command("remove")
@click.argument("number", metavar="ID", type=WholeNumber(1))
@agent_options
@format_option
def remove_command(number: int, place: AgentPlace, form: str) -> None:
    """Remove an incident that was marked in error.

    `incident list` shows its ID. The log of the agent has what was removed, and by whom.

    \b
    Exit status: 0 removed, 3 refused or no answer.

    \b
    Examples:
      ldaphealth incident remove 3
    """  # noqa: D301  \b keeps the lines of a paragraph in click's help
    _change(place, RemoveIncidentRequest(id=number), form, "removed: ")


@incident_command.command("list")
@click.argument("target", metavar="[CLUSTER[/SERVER]]", default="", shell_complete=complete)
@incidents_option
@agent_options
@format_option
def list_command(target: str, file: Path | None, place: AgentPlace, form: str) -> None:
    """List the incidents that were marked.

    Those of a cluster are also those of its servers, and those of a server also those of its
    cluster as a whole. While no agent runs, the file of the agent of --config is read.

    \b
    A file for --incidents, of which `to`, `by` and `marked` may be left out:
      incidents:
      - target: example/ldap2
        from: 2026-11-23T03:12Z
        to: 2026-11-23T03:40Z
        note: logins hung, ticket 4711

    \b
    Exit status: 0 listed, 3 no such server, bad file, or no answer.

    \b
    Examples:
      ldaphealth incident list
      ldaphealth incident list example/ldap2 --format json
      ldaphealth incident list --incidents incidents.yaml
    """  # noqa: D301  \b keeps the lines of a paragraph in click's help
    from ldaphealth.history.incident import incident_document

    documents = [incident_document(each) for each in incidents_of(place, target, file)]
    if form == "json":
        click.echo(json.dumps(documents, indent=2))
        return
    for line in map(incident_line, documents) if documents else ["no incident is marked"]:
        click.echo(line)


def _change(
    place: AgentPlace,
    request: AddIncidentRequest | EndIncidentRequest | RemoveIncidentRequest,
    form: str,
    words: str,
) -> None:
    document = change_incidents(place, request)
    click.echo(
        json.dumps(document, indent=2) if form == "json" else words + incident_line(document)
    )


def _refuse_future(option: str, at: EpochSeconds | None) -> None:
    if at is not None and at > epoch_seconds() + CLOCKS_APART_SECONDS:
        raise click.UsageError(f"{option} {moment(at)} is in the future")
