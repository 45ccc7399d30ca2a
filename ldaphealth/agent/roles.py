"""The role of a server in replication as far as it is known, for `ldaphealth status`. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from ldaphealth.checks import counters
from ldaphealth.model import AnyObservation, Role, Server

PROVIDES = "syncprov"  # the overlay of every provider, slapo-syncprov(5)


def role_of(server: Server, observations: Iterable[AnyObservation]) -> Role:
    """Return the configured role; CONSUMER for a provider that cn=Monitor shows to be none.

    That is one whose database with the suffix is a copy without the overlay syncprov: no server can
    receive changes from it.
    """
    if server.role is not Role.PROVIDER:
        return server.role
    databases = [
        database
        for each in observations
        if isinstance(each.facts, counters.Facts)
        for database in each.facts.databases
        if database.name.lower() == server.suffix.lower()
    ]
    is_copy = any(each.is_copy and PROVIDES not in each.overlays for each in databases)
    return Role.CONSUMER if is_copy else Role.PROVIDER
