"""Where the agent of a cluster answers: the one of this host, or one of its shards.

The runtime directory says how many shards there are, and the name of a cluster to which it belongs
(docs/how-to/shards.md). A socket that is named with --socket and has no shards beside it is used as
it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import click

from ldaphealth.cli.options import AgentPlace
from ldaphealth.files.division import DivisionError, read_division, shards_here
from ldaphealth.shard import shard_of


def places_of(place: AgentPlace, target: str) -> list[AgentPlace]:
    """Return the one place of a cluster or a server, or those of all shards of this host.

    click.ClickException: how many shards there are cannot be known.
    """
    try:
        directory = _divided(place)
        if directory is None:
            return [place]
        if target:
            return [place.of(shard_of(target.partition("/")[0], read_division(directory)))]
        return [place.of(each) for each in shards_here(directory)] or [place]
    except DivisionError as error:
        raise click.ClickException(str(error)) from error
    except OSError:  # the request to the socket will say why
        return [place]


def _divided(place: AgentPlace) -> Path | None:
    """Return the directory that shards share, None if there are none; DivisionError, OSError.

    The runtime directory is empty after a boot, so if no agent runs the state directory counts.
    """
    runtime = place.socket.parent
    if read_division(runtime) > 1:
        return runtime
    if place.socket.exists() or place.unusable or not place.config_file.exists():
        return None
    from ldaphealth.config import ConfigError, load_agent

    try:
        settings = load_agent(place.config_file)
    except ConfigError:
        return None
    state = settings.state_directory
    is_divided = settings.socket_path == place.socket and read_division(state) > 1
    return state if is_divided else None


def merged_documents(documents: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the documents of several shards as one: all of each list and mapping."""
    whole: dict[str, Any] = {}
    for key, value in chain.from_iterable(each.items() for each in documents):
        if isinstance(value, list):
            whole[key] = [*whole.get(key, ()), *value]
        elif isinstance(value, dict):
            whole[key] = {**whole.get(key, {}), **value}
        else:
            whole.setdefault(key, value)
    return whole
