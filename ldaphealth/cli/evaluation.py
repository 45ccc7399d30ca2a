"""Evaluate the servers that a command selected, and show the progress on a terminal.

`ldaphealth check` and check_ldaphealth import this after the command line is checked, because it
loads everything that LDAP needs.
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


def evaluate_selection(
    selection: Selection,
    effects: frozenset[CheckEffect],
    probed: frozenset[str] | None = None,
) -> Snapshot:
    """Check the clusters, and return the verdicts on the selected servers.

    `probed` are the IDs of the servers to probe, by default all of the clusters. Nothing is known
    of the others.
    """
    gc.freeze()  # loaded modules stay until this short process ends: the collector can skip them
    servers = sum(len(each.servers) for each in selection.clusters)
    progress = CheckProgress(servers if probed is None else len(probed))

    def probe(
        server: Server, checks: Iterable[ConfiguredCheck], deadline: Deadline
    ) -> list[AnyObservation]:
        if probed is not None and server.id not in probed:
            return []
        observations = probe_server(server, tuple(checks), deadline)
        progress.note(server.id)
        return observations

    with show_progress(progress):
        snapshot = evaluate(
            selection.clusters,
            effects=effects,
            probe=probe,
            overrides=_overrides(selection.settings),
        )
    verdicts = tuple(each for each in snapshot.verdicts if each.server in selection.servers)
    return replace(snapshot, verdicts=verdicts)


def _overrides(settings: Settings | None) -> Mapping[str, Memory]:
    """Return the overrides that the agent saved; they also apply while it is down."""
    if settings is None:
        return {}
    loaded = load_state(state_path(settings.agent.state_directory), boot_seconds())
    if loaded.problem:
        click.echo(f"ldaphealth: cannot read all overrides: {loaded.problem}", err=True)
    return {name: Memory(overrides=each.overrides) for name, each in loaded.memories.items()}
