"""The history for the commands: from the agent, or from its database while no agent runs."""

from __future__ import annotations

from typing import Any

import click

from ldaphealth.cli.options import AgentPlace
from ldaphealth.control import client
from ldaphealth.control.requests import HistoryRequest


def past_changes(place: AgentPlace, request: HistoryRequest) -> list[dict[str, Any]]:
    """Return the changes, newest first; click.ClickException if there is no history.

    Without an agent the database of the agent with this socket in its configuration is read. It is
    opened for reading only and without the lock of the agent, and standard error says so.
    """
    try:
        document = client.send_request(place.socket, request)
        changes: list[dict[str, Any]] = document["changes"]
    except client.NoAgentError as error:
        return _changes_on_disk(place, request, error)
    except client.AgentError as error:
        raise click.ClickException(str(error)) from error
    return changes


def _changes_on_disk(
    place: AgentPlace, request: HistoryRequest, no_agent: client.NoAgentError
) -> list[dict[str, Any]]:
    from ldaphealth.config import ConfigError, load_agent
    from ldaphealth.store.history_reading import HistoryError, history_path, read_changes

    file = place.config_file
    try:
        settings = load_agent(file)
    except ConfigError as error:
        hint = f"to read its history on disk, give its configuration with --config, not {file}"
        raise click.ClickException(f"{no_agent}; {hint}") from error
    if settings.socket_path != place.socket:
        hint = f"the agent of {file} has another socket, so its history is not read"
        raise click.ClickException(f"{no_agent}; {hint}")
    path = history_path(settings.state_directory)
    try:
        changes = read_changes(path, request.server, request.limit, request.before_epoch)
    except HistoryError as error:
        raise click.ClickException(f"{no_agent}; {error}") from error
    click.echo(f"ldaphealth: {no_agent}; this is its history on disk, {path}", err=True)
    return changes
