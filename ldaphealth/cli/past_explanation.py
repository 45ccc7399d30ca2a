"""What `explain --at` shows: the verdict of a moment, the changes around it, and what was seen.

Verdicts are those of the history, and what was seen is in the journal. The command reads that file
by itself: to compute the pool of that moment again takes seconds, which the agent needs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click
from msgspec import Struct

from ldaphealth.cli.options import AgentPlace
from ldaphealth.cli.past_changes import past_changes
from ldaphealth.cli.progress import show_progress
from ldaphealth.clocks import EpochSeconds
from ldaphealth.control.requests import HistoryRequest
from ldaphealth.text.moment import epoch_of

if TYPE_CHECKING:
    from ldaphealth.agent.journal_segment import Recorded
    from ldaphealth.agent.pool import Pool
    from ldaphealth.store.journal_files import Segment

MOST_CHANGES = 1000  # of a server, after the moment
SHOWN_UNTIL = 2  # the one that made the verdict, and the one before


class Around(Struct, frozen=True):
    """The changes of a verdict around a moment, each as in the history; None: there is none."""

    before: Mapping[str, Any] | None
    at: Mapping[str, Any] | None
    after: Mapping[str, Any] | None


class _Progress:
    def __rich__(self) -> str:
        """Return the line; called each time it is drawn."""
        return "computing what the agent saw then"


def changes_around(place: AgentPlace, server: str, at: EpochSeconds) -> Around:
    """Return the change that made the verdict of a moment, and those before and after it.

    click.ClickException: there is no history.
    """
    newest = past_changes(place, HistoryRequest(server, MOST_CHANGES))
    later = [each for each in newest if epoch_of(each["at"]) > at]
    until = newest[len(later) :]
    if len(newest) == MOST_CHANGES and len(until) < SHOWN_UNTIL:
        until = past_changes(place, HistoryRequest(server, SHOWN_UNTIL, at))
        later = later if until and until[0] in newest else []
    found: Sequence[Mapping[str, Any] | None] = [*until[:SHOWN_UNTIL], None, None]
    return Around(found[1], found[0], later[-1] if later else None)


def seen_at(place: AgentPlace, server: str, at: EpochSeconds) -> dict[str, Any] | str:
    """Return what `explain` shows now, but of a moment; a phrase with the reason if it cannot."""
    with show_progress(_Progress()):
        return seen_on_servers(place, [server], at)[server]


def seen_on_servers(
    place: AgentPlace, servers: Sequence[str], at: EpochSeconds
) -> dict[str, dict[str, Any] | str]:
    """Return the same of several servers of one cluster."""
    from ldaphealth.agent.replay import pool_at
    from ldaphealth.checks import find
    from ldaphealth.store.journal_files import DamagedError

    cluster, _, _ = servers[0].partition("/")
    try:
        found = pool_at(journal_of(place).get(cluster, []), find, at)
    except click.ClickException as error:
        return dict.fromkeys(servers, error.message)
    except (DamagedError, OSError) as error:
        return dict.fromkeys(servers, f"the journal of {cluster}: {error}")
    nothing = f"the journal of {cluster} does not have that moment"
    return {
        each: (None if found is None else _explained(*found, each, at)) or nothing
        for each in servers
    }


def journal_of(place: AgentPlace) -> Mapping[str, Sequence[Segment]]:
    """Return the segments of the journal by cluster.

    click.ClickException: the configuration is not known, or the directory cannot be read.
    """
    from ldaphealth.config import ConfigError, load_agent
    from ldaphealth.store.journal_files import segments_of_all

    try:
        settings = load_agent(place.config_file)
    except ConfigError as error:
        raise click.ClickException(
            f"{place.config_file} is not the configuration of an agent; give it with --config"
        ) from error
    if settings.socket_path != place.common_socket:
        raise click.ClickException(f"the agent of {place.config_file} has another socket")
    try:
        return segments_of_all(settings.state_directory)
    except OSError as error:
        raise click.ClickException(
            f"the journal in {settings.state_directory}: {error.strerror or error}"
        ) from error


def _explained(
    pool: Pool, newest: Recorded, server: str, at: EpochSeconds
) -> dict[str, Any] | None:
    """Return the explanation of a pool that has had its newest decision before a moment."""
    from ldaphealth.agent.explanation_document import Now, explanation_document
    from ldaphealth.agent.pool_events import Decided

    known = next((each for each in pool.cluster.servers if each.id == server), None)
    if known is None or not isinstance(newest.event, Decided) or newest.at is None:
        return None
    passed = max(0.0, at - newest.at)
    ended = max((each.ended_at for seen in pool.latest.values() for each in seen), default=0.0)
    now = Now(boot=newest.event.now + passed, monotonic=ended + passed, epoch=at)
    return explanation_document(pool, known, now)
