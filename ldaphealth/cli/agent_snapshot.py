"""The verdicts of the running agent, for check_ldaphealth."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import click
from msgspec.structs import replace

from ldaphealth.cli.agent_request import query_status, unanswered
from ldaphealth.cli.options import AgentPlace
from ldaphealth.model import Snapshot, State
from ldaphealth.sinks.check_ldap import stale
from ldaphealth.sinks.json_document import snapshot_of
from ldaphealth.sinks.summary import worst_first


def agent_snapshot(
    place: AgentPlace, target: str, timeout_seconds: float
) -> tuple[Snapshot, tuple[str, ...]]:
    """Return the agent's verdicts on a cluster, a server, or all (an empty target), with notes.

    The notes are sentences on the agent itself, and the commands for what is not OK. Raise
    click.ClickException if there are no verdicts.
    """
    document = query_status(place, target.partition("/")[0], timeout_seconds)
    try:
        snapshot = snapshot_of(document)
        current = stale(snapshot, {**document["valid_seconds"]})
    except (ValueError, LookupError, TypeError) as error:
        raise click.ClickException(
            f"{place.socket}: the response is not from an agent: {error}"
        ) from error
    if missing := unanswered(document):
        raise click.ClickException("; ".join(missing))
    wanted = tuple(each for each in current.verdicts if _is_selected(target, each.server))
    if not wanted:
        what = f"no verdict on {target}" if target else "no verdict"
        known = ", ".join(each.server for each in current.verdicts)
        raise click.ClickException(
            f"the agent has {what}" + (f"; it checks {known}" if known else " yet")
        )
    found = replace(current, verdicts=wanted)
    parts = document.get("shards", [document])
    failures = (each.get("agent", {}).get("reload_failure", "") for each in parts)
    return found, tuple(_notes(found, dict.fromkeys(failures)))


def _notes(snapshot: Snapshot, reload_failures: Iterable[str]) -> Iterator[str]:
    yield from filter(None, reload_failures)
    worst = worst_first(snapshot)[0]
    if worst.state is not State.OK or not worst.in_service:
        yield f"more: ldaphealth explain {worst.server}; ldaphealth doctor"


def _is_selected(target: str, server: str) -> bool:
    return not target or server == target or server.startswith(f"{target}/")
