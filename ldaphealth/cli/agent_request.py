"""Requests of the commands to the running agent, or to the shard of a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from time import monotonic
from typing import Any

import click

from ldaphealth.cli.options import AgentPlace
from ldaphealth.cli.places import merged_documents, places_of
from ldaphealth.control import client
from ldaphealth.control.requests import (
    BaselineRequest,
    ControlRequest,
    ExplainRequest,
    OverrideRequest,
    ReloadRequest,
    RemoveOverrideRequest,
    StatusRequest,
)

CONFIG_HINT = (
    "correct the file (`ldaphealth config check` shows what is wrong), or name the socket with "
    "--socket"
)
NO_AGENT = (
    "{what} here: `systemctl start {unit}`, its log is `journalctl -u {unit}`; meanwhile "
    "keepalived's script checks each server itself: those that answer stay in service, but for "
    "those that an operator drained or took out; `ldaphealth check` shows them ({cause}; --socket "
    "names another socket)"
)
LEAST_SECONDS = 0.1  # for a shard, after others took the time for all
OfCluster = ExplainRequest | OverrideRequest | RemoveOverrideRequest | BaselineRequest


def query_agent(place: AgentPlace, request: OfCluster) -> Any:
    """Return the document of the agent of a cluster; click.ClickException when there is none."""
    target = request.cluster if isinstance(request, BaselineRequest) else request.server
    (own,) = places_of(place, target)
    try:
        return _send(own, request)
    except client.AgentError as error:
        raise click.ClickException(_text(own, error)) from error


def query_all(place: AgentPlace, request: ReloadRequest) -> list[Any]:
    """Return the documents of all agents of this host.

    click.ClickException: one has none; the others were asked nevertheless, and it says so.
    """
    documents, answered, problems = [], [], []
    for own in places_of(place, ""):
        try:
            documents.append(_send(own, request))
            answered.append(str(own.shard))
        except client.AgentError as error:
            problems.append(_text(own, error))
    if problems:
        if answered:
            problems.append(f"done by shard {', '.join(answered)} nevertheless")
        raise click.ClickException("\n".join(dict.fromkeys(problems)))
    return documents


def query_status(
    place: AgentPlace, cluster: str = "", timeout_seconds: float = client.TIMEOUT_SECONDS
) -> Any:
    """Return the status of the agent, or of a cluster's shard; click.ClickException: no answer.

    That of several shards has their parts in `shards`, with an `error` for one without an answer.
    """
    places, until = places_of(place, cluster), monotonic() + timeout_seconds
    documents, parts = [], []
    for own in places:
        part: dict[str, Any] = {"shard": str(own.shard)}
        try:
            left_seconds = max(LEAST_SECONDS, until - monotonic())
            document = _send(own, StatusRequest(), left_seconds)
        except client.AgentError as error:
            if len(places) == 1:
                raise click.ClickException(_text(own, error)) from error
            part["error"] = _text(own, error)
        else:
            if len(places) == 1:
                return document
            part |= {key: document.pop(key, {}) for key in ("agent", "listens")}
            documents.append(document)
        parts.append(part)
    if not documents:
        raise click.ClickException("\n".join(dict.fromkeys(each["error"] for each in parts)))
    return merged_documents(documents) | {"shards": parts}


def unanswered(document: Mapping[str, Any]) -> list[str]:
    """Return why shards did not answer for a status; it may lack an outage then."""
    return [each["error"] for each in document.get("shards", ()) if "error" in each]


def _send(
    place: AgentPlace,
    request: ControlRequest,
    timeout_seconds: float = client.TIMEOUT_SECONDS,
) -> Any:
    return client.send_request(place.socket, request, timeout_seconds)


def _text(place: AgentPlace, error: client.AgentError) -> str:
    return no_agent_text(place, error) if isinstance(error, client.NoAgentError) else str(error)


def no_agent_text(place: AgentPlace, error: client.NoAgentError) -> str:
    """Return why there is no agent at this place, and what to do."""
    if not place.unusable:
        what, unit = "no agent runs", "ldaphealth-agent"
        if not place.shard.is_whole:
            what = f"shard {place.shard} does not run"
            unit = f"ldaphealth-shard@{str(place.shard).replace('/', '-')}"
        return NO_AGENT.format(what=what, unit=unit, cause=str(error).partition(": ")[2])
    unknown = f"its agent may run, but its socket is not known, and none is at {place.socket}"
    return f"{place.unusable}; {unknown}; {CONFIG_HINT}"
