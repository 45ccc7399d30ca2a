"""Asking the running agent for a command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ldaphealth.control import client
from ldaphealth.control.requests import ControlRequest

NOBODY = "start `ldaphealth agent`, or name its socket with --socket"


def ask_agent(path: Path, request: ControlRequest, patience_seconds: float | None = None) -> Any:
    """Return the agent's document; click.ClickException when there is none."""
    try:
        return client.send_request(path, request, patience_seconds or client.TIMEOUT_SECONDS)
    except client.NoAgentError as error:
        raise click.ClickException(f"{error}; {NOBODY}") from error
    except client.AgentError as error:
        raise click.ClickException(str(error)) from error
