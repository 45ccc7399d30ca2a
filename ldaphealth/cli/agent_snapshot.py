"""The verdicts of the running agent, for check_ldaphealth."""

from __future__ import annotations

from pathlib import Path

import click
from msgspec.structs import replace

from ldaphealth.cli.ask_agent import ask_agent
from ldaphealth.control.requests import StatusRequest
from ldaphealth.model import Snapshot
from ldaphealth.sinks.check_ldap import stale
from ldaphealth.sinks.json_document import snapshot_of


def agent_snapshot(socket: Path, target: str, patience_seconds: float) -> Snapshot:
    """Return the agent's verdicts on what is asked about; click.ClickException says why not."""
    document = ask_agent(socket, StatusRequest(), patience_seconds)
    try:
        snapshot = snapshot_of(document)
        told = stale(snapshot, {**document["valid_seconds"]})
    except (ValueError, LookupError, TypeError) as error:
        raise click.ClickException(f"{socket}: what answers is no agent: {error}") from error
    wanted = tuple(each for each in told.verdicts if _is_of(target, each.server))
    if not wanted:
        what = f"no verdict on {target}" if target else "no verdict"
        known = ", ".join(each.server for each in told.verdicts)
        raise click.ClickException(
            f"the agent has {what}" + (f"; it looks at {known}" if known else " yet")
        )
    return replace(told, verdicts=wanted)


def _is_of(target: str, server: str) -> bool:
    return not target or server == target or server.startswith(f"{target}/")
