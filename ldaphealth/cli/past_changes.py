"""The history for the commands: from the agent, or from its database while no agent runs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ldaphealth.cli.agent_request import no_agent_text
from ldaphealth.cli.options import AgentPlace
from ldaphealth.cli.places import merged_documents, places_of
from ldaphealth.control import client
from ldaphealth.control.requests import (
    AvailabilityRequest,
    HistoryRequest,
    NumbersRequest,
    TimesRequest,
)

if TYPE_CHECKING:
    from ldaphealth.settings import AgentSettings

R = TypeVar("R", HistoryRequest, AvailabilityRequest, TimesRequest, NumbersRequest)


def past_changes(place: AgentPlace, request: HistoryRequest) -> list[dict[str, Any]]:
    """Return the changes, newest first; click.ClickException if there is no history.

    Without an agent the database of the agent with this socket in its configuration is read. It is
    opened for reading only and without the lock of the agent, and standard error says so.
    """
    answers = _answers(place, request, _changes_on_disk)
    changes: list[dict[str, Any]] = [each for answer in answers for each in answer["changes"]]
    if len(answers) > 1:  # each has its own order, which no clock changes
        changes.sort(key=lambda each: str(each["at"]), reverse=True)
    return changes[: request.limit]


def past_availability(place: AgentPlace, request: AvailabilityRequest) -> dict[str, Any]:
    """Return how long servers were in service, likewise."""
    return _answer(place, request, _availability_on_disk)


def past_times(place: AgentPlace, request: TimesRequest) -> dict[str, Any]:
    """Return how long operations took, likewise."""
    return _answer(place, request, _times_on_disk)


def past_numbers(place: AgentPlace, request: NumbersRequest) -> dict[str, Any]:
    """Return what a number was, likewise."""
    return _answer(place, request, _numbers_on_disk)


def _answer(
    place: AgentPlace,
    request: R,
    on_disk: Callable[[AgentPlace, R, client.NoAgentError], dict[str, Any]],
) -> dict[str, Any]:
    """Return the document of the agent, or what is made of the history on disk without one."""
    return merged_documents(_answers(place, request, on_disk))


def _answers(
    place: AgentPlace,
    request: R,
    on_disk: Callable[[AgentPlace, R, client.NoAgentError], dict[str, Any]],
) -> list[dict[str, Any]]:
    """Return it of the agent of a cluster; without a cluster of all shards of this host."""
    return [_answer_of(each, request, on_disk) for each in places_of(place, request.server)]


def _answer_of(
    place: AgentPlace,
    request: R,
    on_disk: Callable[[AgentPlace, R, client.NoAgentError], dict[str, Any]],
) -> dict[str, Any]:
    try:
        document: dict[str, Any] = client.send_request(place.socket, request)
    except client.NoAgentError as error:
        return on_disk(place, request, error)
    except client.AgentError as error:
        raise click.ClickException(str(error)) from error
    return document


def _changes_on_disk(
    place: AgentPlace, request: HistoryRequest, no_agent: client.NoAgentError
) -> dict[str, Any]:
    from ldaphealth.store.history_reading import read_changes

    with _history_on_disk(place, no_agent) as path:
        changes = read_changes(path, request.server, request.limit, request.before_epoch)
        return {"changes": changes}


def _availability_on_disk(
    place: AgentPlace, request: AvailabilityRequest, no_agent: client.NoAgentError
) -> dict[str, Any]:
    from ldaphealth.config import ConfigError, load_without_files
    from ldaphealth.history.availability_document import availability_document, of_target
    from ldaphealth.store.service_history import read_service_changes

    since, until = request.since_epoch, request.until_epoch
    with _history_on_disk(place, no_agent) as path:
        changes = read_service_changes(path, request.server, since, until)
    try:
        clusters = load_without_files(place.config_file).clusters
    except ConfigError:  # of its servers the history knows enough
        clusters = {}
    least = {name: cluster.min_in_service for name, cluster in clusters.items()}
    return availability_document(changes, of_target(least, request.server), since, until)


def _times_on_disk(
    place: AgentPlace, request: TimesRequest, no_agent: client.NoAgentError
) -> dict[str, Any]:
    from ldaphealth.history.times_document import times_document
    from ldaphealth.store.points_reading import query_of, read_points, servers_with_points

    with _history_on_disk(place, no_agent) as path:
        servers = servers_with_points(path, request.server)
        return times_document(request, read_points(path, servers, query_of(request)))


def _numbers_on_disk(
    place: AgentPlace, request: NumbersRequest, no_agent: client.NoAgentError
) -> dict[str, Any]:
    from ldaphealth.history.kept_numbers import BY_KEY
    from ldaphealth.history.numbers_document import numbers_document
    from ldaphealth.store.numbers_reading import number_query, read_numbers

    kept = BY_KEY[request.number]
    with _history_on_disk(place, no_agent) as path:
        periods = read_numbers(path, request.server, number_query(kept, request))
        return numbers_document(request, kept, periods)


@contextlib.contextmanager
def _history_on_disk(place: AgentPlace, no_agent: client.NoAgentError) -> Iterator[Path]:
    """Yield the path of the history; click.ClickException if there is none, or on HistoryError."""
    from ldaphealth.store.history_reading import HistoryError, history_path

    path = history_path(place.shard.below(state_on_disk(place, no_agent).state_directory))
    try:
        yield path
    except HistoryError as error:
        raise click.ClickException(f"{no_agent}; {error}") from error
    said = click.get_current_context().meta.setdefault(__name__, set())
    if path not in said:  # a command may read it several times
        said.add(path)
        click.echo(f"ldaphealth: {no_agent}; this is its history on disk, {path}", err=True)


def state_on_disk(place: AgentPlace, no_agent: client.NoAgentError) -> AgentSettings:
    """Return the settings of the agent that does not run, for what it left on disk.

    click.ClickException: the configuration is not known, or is that of another agent.
    """
    from ldaphealth.config import ConfigError, load_agent

    file = place.config_file
    if place.unusable:
        raise click.ClickException(no_agent_text(place, no_agent)) from no_agent
    try:
        settings = load_agent(file)
    except ConfigError as error:
        hint = f"to read its history on disk, give its configuration with --config, not {file}"
        raise click.ClickException(f"{no_agent}; {hint}") from error
    if settings.socket_path != place.common_socket:
        hint = f"the agent of {file} has another socket, so its history is not read"
        raise click.ClickException(f"{no_agent}; {hint}")
    return settings
