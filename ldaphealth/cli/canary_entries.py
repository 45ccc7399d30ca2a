"""The entries that the checks of a cluster write to, by their DNs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from ldaphealth.checks.canary import canary_entry
from ldaphealth.cli.targets import select
from ldaphealth.settings import Cluster
from ldaphealth.tasks.canary_settings import canaries_of
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
    return {
        each.dn: canary_entry(each.agent, each.server, each.purpose, each.object_class)
        for each in canaries_of(cluster, agent)
    }


def entries_as_ldif(entries: Entries) -> Iterator[str]:
    """Yield the lines of the entries as LDIF (RFC 2849)."""
    for dn, attributes in entries.items():
        yield from ldif_entry(dn, attributes)
