"""Requests of the commands to the running agent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ldaphealth.control import client
from ldaphealth.control.requests import ControlRequest

START_HINT = "start `ldaphealth agent`, or name its socket with --socket"


def query_agent(path: Path, request: ControlRequest, timeout_seconds: float | None = None) -> Any:
    """Return the agent's document; click.ClickException when there is none."""
    try:
        return client.send_request(path, request, timeout_seconds or client.TIMEOUT_SECONDS)
    except client.NoAgentError as error:
        raise click.ClickException(f"{error}; {START_HINT}") from error
    except client.AgentError as error:
        raise click.ClickException(str(error)) from error
