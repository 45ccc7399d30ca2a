"""The entries that the checks of a cluster write to, by their DNs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from ldaphealth.checks.canary import canary_dn, canary_entry, this_agent
from ldaphealth.cli.targets import select
from ldaphealth.model import Role
from ldaphealth.settings import Cluster
from ldaphealth.tasks.canary_settings import canary_params
from ldaphealth.text.ldif import ldif_entry

Entries = Mapping[str, Mapping[str, tuple[str, ...]]]


def configured_entries(name: str, config_file: Path) -> tuple[Cluster, Entries]:
    """Return a cluster of the configuration, and the entries in it that this agent writes to."""
    (cluster,) = select([name], config_file, None).clusters
    entries = entries_of(cluster)
    if not entries:
        hint = "configure one with its container: checks: {write: {container: DN}}"
        raise click.UsageError(
            f"{config_file}: cluster {cluster.name} has no check write or propagation; {hint}"
        )
    return cluster, entries


def entries_of(cluster: Cluster, agent: str = "") -> Entries:
    """Return the entries by DN that an agent writes to, none if no check of the cluster writes.

    `agent`: the name of another agent than that of the settings, or of this host.
    """
    entries: dict[str, Mapping[str, tuple[str, ...]]] = {}
    for purpose, own in canary_params(cluster).items():
        name = agent or own.agent or this_agent()
        entries |= {
            canary_dn(own.container, name, server, purpose): canary_entry(
                name, server, purpose, own.object_class
            )
            for server in cluster.data_servers
            if purpose == "write" or server.role is Role.PROVIDER
        }
    return entries


def entries_as_ldif(entries: Entries) -> Iterator[str]:
    """Yield the lines of the entries as LDIF (RFC 2849)."""
    for dn, attributes in entries.items():
        yield from ldif_entry(dn, attributes)
