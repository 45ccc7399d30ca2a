"""Evaluate the servers that a command selected, and show the progress on a terminal.

`ldaphealth check` and check_ldaphealth import this after the command line is checked, because it
loads everything that LDAP needs.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Mapping
from pathlib import Path

import click
from msgspec.structs import replace

from ldaphealth.cli.progress import CheckProgress, show_progress
from ldaphealth.cli.selection import Selection
from ldaphealth.clocks import boot_seconds
from ldaphealth.files.division import DivisionError, read_division
from ldaphealth.guard import Memory
from ldaphealth.ldap.accounts import Accounts, AccountState
from ldaphealth.ldap.deadline import Deadline
from ldaphealth.ldap.other_protocol import with_other_protocol
from ldaphealth.model import AnyObservation, CheckEffect, FailureKind, Server, Snapshot, Verdict
from ldaphealth.rounds.probe import probe_server
from ldaphealth.settings import Cluster, ConfiguredCheck, Settings
from ldaphealth.shard import Shard, shard_of
from ldaphealth.store.refused_passwords import Key, load_refusals, password_of, save_refusals
from ldaphealth.store.state_file import load_state, state_path
from ldaphealth.tasks.one_shot import evaluate


def evaluate_selection(
    selection: Selection,
    effects: frozenset[CheckEffect],
    probed: frozenset[str] | None = None,
    *,
    is_repeated: bool = False,
    refuse_unresolved: bool = False,
) -> Snapshot:
    """Check the clusters, and return the verdicts on the selected servers.

    With `refuse_unresolved`, click.ClickException if a host of the command line does not resolve:
    most likely it is mistyped. One of a configuration is a failure of this host, as any other.

    `probed` are the IDs of the servers to probe, by default all of the clusters. Nothing is known
    of the others. `is_repeated`: the processes before and after this one, which a program starts
    again and again, share what is known of refused passwords.
    """
    gc.freeze()  # loaded modules stay until this short process ends: the collector can skip them
    servers = sum(len(each.servers) for each in selection.clusters)
    progress = CheckProgress(servers if probed is None else len(probed))
    directories = _directories(selection.settings) if is_repeated else ()
    refused = load_refusals(directories, boot_seconds())
    tried: dict[Key, Server] = {}

    def known(server: Server) -> AccountState:
        tried[password_of(server)] = server
        return refused.known(password_of(server))

    accounts = Accounts(known=known)

    def probe(
        server: Server, checks: Iterable[ConfiguredCheck], deadline: Deadline
    ) -> list[AnyObservation]:
        if probed is not None and server.id not in probed:
            return []
        observations = probe_server(server, tuple(checks), deadline, accounts)
        observations = with_other_protocol(server, observations, deadline)
        progress.note(server.id)
        return observations

    with show_progress(progress):
        snapshot = evaluate(
            selection.clusters,
            effects=effects,
            probe=probe,
            overrides=_overrides(selection),
        )
    save_refusals(
        directories, refused, {key: accounts.state_of(server) for key, server in tried.items()}
    )
    verdicts = tuple(each for each in snapshot.verdicts if each.server in selection.servers)
    if refuse_unresolved and selection.settings is None:
        _refuse_unresolved(verdicts)
    return replace(snapshot, verdicts=verdicts)


def _refuse_unresolved(verdicts: Iterable[Verdict]) -> None:
    findings = [finding for verdict in verdicts for finding in verdict.findings]
    wrong = [each.summary for each in findings if each.code == FailureKind.RESOLVE]
    if wrong:
        raise click.ClickException("; ".join(dict.fromkeys(wrong)))


def _directories(settings: Settings | None) -> tuple[Path, ...]:
    """Return where refused passwords are remembered: the directories of the agent, or /tmp."""
    from tempfile import gettempdir

    temporary = Path(gettempdir())
    if settings is None:
        return (temporary,)
    return settings.agent.runtime_directory, settings.agent.state_directory, temporary


def _overrides(selection: Selection) -> Mapping[str, Memory]:
    """Return the overrides that the agent saved, or its shards; they also apply without it."""
    if selection.settings is None:
        return {}
    directory, found = selection.settings.agent.state_directory, dict[str, Memory]()
    for shard in _shards(directory, selection.clusters):
        loaded = load_state(state_path(shard.below(directory)), boot_seconds(), shard)
        found |= {name: Memory(overrides=of.overrides) for name, of in loaded.memories.items()}
        if loaded.problem:
            click.echo(f"ldaphealth: cannot read all overrides: {loaded.problem}", err=True)
    return found


def _shards(state_directory: Path, clusters: Iterable[Cluster]) -> set[Shard]:
    """Return the shards that these clusters belong to."""
    try:
        count = read_division(state_directory)
    except (DivisionError, OSError) as error:
        count = 1
        if not isinstance(error, PermissionError):  # `load_state` says that
            click.echo(f"ldaphealth: cannot read all overrides: {error}", err=True)
    return {shard_of(each.name, count) for each in clusters}
