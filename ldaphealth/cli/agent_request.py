"""Requests of the commands to the running agent."""

from __future__ import annotations

from typing import Any

import click

from ldaphealth.cli.options import AgentPlace
from ldaphealth.control import client
from ldaphealth.control.requests import ControlRequest

CONFIG_HINT = (
    "correct the file (`ldaphealth config check` shows what is wrong), or name the socket with "
    "--socket"
)
NO_AGENT = (
    "no agent runs here: `systemctl start ldaphealth-agent`, its log is `journalctl -u "
    "ldaphealth-agent`; meanwhile keepalived's script checks each server itself, those that answer "
    "stay in service, and `ldaphealth check` shows them ({cause}; --socket names another socket)"
)


def query_agent(
    place: AgentPlace, request: ControlRequest, timeout_seconds: float | None = None
) -> Any:
    """Return the agent's document; click.ClickException when there is none."""
    try:
        return client.send_request(place.socket, request, timeout_seconds or client.TIMEOUT_SECONDS)
    except client.NoAgentError as error:
        raise click.ClickException(no_agent_text(place, error)) from error
    except client.AgentError as error:
        raise click.ClickException(str(error)) from error


def no_agent_text(place: AgentPlace, error: client.NoAgentError) -> str:
    """Return why there is no agent at this place, and what to do."""
    if not place.unusable:
        return NO_AGENT.format(cause=str(error).partition(": ")[2])
    unknown = f"its agent may run, but its socket is not known, and none is at {place.socket}"
    return f"{place.unusable}; {unknown}; {CONFIG_HINT}"
