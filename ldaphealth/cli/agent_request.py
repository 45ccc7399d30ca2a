"""Requests of the commands to the running agent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ldaphealth.control import client
from ldaphealth.control.requests import ControlRequest

NO_AGENT = (
    "no agent runs here: `systemctl start ldaphealth-agent`, its log is `journalctl -u "
    "ldaphealth-agent`; meanwhile keepalived's script checks each server itself, those that answer "
    "stay in service, and `ldaphealth check` shows them ({cause}; --socket names another socket)"
)


def query_agent(path: Path, request: ControlRequest, timeout_seconds: float | None = None) -> Any:
    """Return the agent's document; click.ClickException when there is none."""
    try:
        return client.send_request(path, request, timeout_seconds or client.TIMEOUT_SECONDS)
    except client.NoAgentError as error:
        cause = str(error).partition(": ")[2]
        raise click.ClickException(NO_AGENT.format(cause=cause)) from error
    except client.AgentError as error:
        raise click.ClickException(str(error)) from error
