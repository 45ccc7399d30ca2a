"""Incidents for the commands: from the agent, from its file while none runs, or from another file.

Whoever has the lock of the state directory may write there, and so one process at a time.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from ldaphealth.cli.options import AgentPlace
from ldaphealth.cli.past_changes import state_on_disk
from ldaphealth.cli.places import places_of
from ldaphealth.control import client
from ldaphealth.control.requests import (
    AddIncidentRequest,
    EndIncidentRequest,
    IncidentsRequest,
    RemoveIncidentRequest,
)

if TYPE_CHECKING:
    from ldaphealth.files.lock_file import LockFile
    from ldaphealth.history.incident import Incident

Change = AddIncidentRequest | EndIncidentRequest | RemoveIncidentRequest


def incidents_of(place: AgentPlace, target: str, file: Path | None) -> list[Incident]:
    """Return the incidents that concern a target; click.ClickException.

    `file` is that of a person; None: those that the agent keeps.
    """
    from ldaphealth.store.incident_file import IncidentError, read_incidents

    try:
        found = _kept(place, target) if file is None else read_incidents(file)
    except (IncidentError, client.AgentError) as error:
        raise click.ClickException(str(error)) from error
    return [each for each in found if each.is_of(target)]


def _kept(place: AgentPlace, target: str) -> list[Incident]:
    """Return the incidents from the agent, or from its file while it does not run."""
    from ldaphealth.history.incident import incident_of
    from ldaphealth.store.incident_file import IncidentFile, incident_path

    try:
        answer = _ask(place, IncidentsRequest(target), target)
    except client.NoAgentError as error:
        return IncidentFile(incident_path(state_on_disk(place, error).state_directory)).read()
    return [incident_of(each) for each in answer["incidents"]]


def change_incidents(place: AgentPlace, request: Change) -> dict[str, Any]:
    """Add, end or remove an incident, and return its document; click.ClickException: refused."""
    from ldaphealth.store.incident_file import IncidentError

    try:
        try:
            target = request.target if isinstance(request, AddIncidentRequest) else ""
            answer = _ask(place, request, target)
        except client.NoAgentError as error:
            answer = _changed_on_disk(place, request, error)
    except (IncidentError, client.AgentError) as error:
        raise click.ClickException(str(error)) from error
    document: dict[str, Any] = answer["incident"]
    return document


def _ask(place: AgentPlace, request: IncidentsRequest | Change, target: str) -> Any:
    """Return the document of an agent; all shards have the same file. client.AgentError."""
    *others, last = places_of(place, target)
    for each in others:
        with contextlib.suppress(client.NoAgentError):
            return client.send_request(each.socket, request)
    return client.send_request(last.socket, request)


def _changed_on_disk(
    place: AgentPlace, request: Change, no_agent: client.NoAgentError
) -> dict[str, Any]:
    """Do what the agent would do, as its user and with its lock."""
    from ldaphealth.agent.incident_answers import IncidentAnswers
    from ldaphealth.control.peer_user import PeerUsers

    directory = state_on_disk(place, no_agent).state_directory
    lock = _locked(directory, no_agent)
    answers = IncidentAnswers(directory, lambda target: _refuse_unknown(place, directory, target))
    request = msgspec.structs.replace(request, by=PeerUsers().name(os.geteuid()))
    try:
        match request:
            case AddIncidentRequest():
                return answers.add(request)
            case EndIncidentRequest():
                return answers.end(request)
        return answers.remove(request)
    finally:
        lock.close()


def _locked(directory: Path, no_agent: client.NoAgentError) -> LockFile:
    """Return the lock of the agent; click.ClickException: only the agent may change its file."""
    from ldaphealth.files.lock_file import LockFile, lock_path

    try:
        if directory.stat().st_uid == os.geteuid():
            return LockFile(lock_path(directory))
        problem = f"only the user that {directory} belongs to can do it without one"
    except BlockingIOError:
        problem = f"{lock_path(directory)}: another process uses it; try again"
    except OSError as error:
        problem = f"{error.filename or directory}: {error.strerror}"
    raise click.ClickException(f"{no_agent}; {problem}; `systemctl start ldaphealth-agent`")


def _refuse_unknown(place: AgentPlace, directory: Path, target: str) -> None:
    from ldaphealth.config import ConfigError, load_without_files
    from ldaphealth.store.history_reading import HistoryError, history_path, read_changes
    from ldaphealth.text.suggestion import suggestion

    try:
        clusters = load_without_files(place.config_file).clusters
    except ConfigError:  # what may be marked is not known
        return
    known = [*clusters, *(server.id for each in clusters.values() for server in each.servers)]
    if target in known:
        return
    try:
        is_past = bool(read_changes(history_path(directory), target, 1, None))
    except HistoryError:
        is_past = False
    if not is_past:
        raise click.ClickException(
            f"{place.config_file} has no cluster or server {target!r}{suggestion(target, known)}"
        )
