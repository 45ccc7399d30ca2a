"""One look at the servers that a command selected, with its progress for a terminal.

`ldaphealth check` and check_ldaphealth load this when the command line is known to be right: it
brings everything that LDAP needs.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Mapping

import click
from msgspec.structs import replace

from ldaphealth.cli.progress import CheckProgress, show_progress
from ldaphealth.cli.selection import Selection
from ldaphealth.clocks import boot_seconds
from ldaphealth.guard import Memory
from ldaphealth.ldap.deadline import Deadline
from ldaphealth.model import AnyObservation, CheckEffect, Server, Snapshot
from ldaphealth.rounds.probe import probe_server
from ldaphealth.settings import ConfiguredCheck, Settings
from ldaphealth.store.state_file import load_state, state_path
from ldaphealth.tasks.one_shot import evaluate


def evaluated(chosen: Selection, effects: frozenset[CheckEffect]) -> Snapshot:
    """Look at the clusters, and return the verdicts on the servers that are asked about."""
    gc.freeze()  # what is loaded stays until this short process ends: it need not be looked through
    progress = CheckProgress(sum(len(each.servers) for each in chosen.clusters))

    def probe(
        server: Server, checks: Iterable[ConfiguredCheck], deadline: Deadline
    ) -> list[AnyObservation]:
        seen = probe_server(server, tuple(checks), deadline)
        progress.note(server.id)
        return seen

    with show_progress(progress):
        snapshot = evaluate(
            chosen.clusters, effects=effects, probe=probe, overrides=_overrides(chosen.settings)
        )
    asked_of = tuple(each for each in snapshot.verdicts if each.server in chosen.servers)
    return replace(snapshot, verdicts=asked_of)


def _overrides(settings: Settings | None) -> Mapping[str, Memory]:
    """Return the operators' words that the agent keeps: they hold while it is down, too."""
    if settings is None:
        return {}
    path = state_path(settings.agent.state_directory)
    try:
        known = load_state(path, boot_seconds())
    except (OSError, ValueError) as error:
        click.echo(f"ldaphealth: what operators said is not known: {error}", err=True)
        return {}
    return {name: Memory(overrides=each.overrides) for name, each in known.items()}
