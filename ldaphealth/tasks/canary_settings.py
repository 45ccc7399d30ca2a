"""The canaries of a cluster, by the settings of the checks that write. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from msgspec import Struct

from ldaphealth.checks.canary import Purpose, canary_dn, canary_mark, this_agent
from ldaphealth.model import Role, Server
from ldaphealth.settings import Cluster


class Canary(Struct, frozen=True, kw_only=True):
    """One canary of an agent: its entry, its mark, and the server and the check that it is for."""

    dn: str
    mark: str
    agent: str
    server: Server
    purpose: Purpose
    object_class: str | tuple[str, ...]

    @property
    def is_written(self) -> bool:
        """Return whether a check writes to it: one of a consumer waits until that is a provider."""
        return self.server.role is not Role.CONSUMER


def canary_params(cluster: Cluster) -> Mapping[Purpose, Any]:
    """Return the settings of the checks that write, by the purpose of their canaries."""
    of_kind = {each.check.name: each.params for each in cluster.checks}
    return {each: of_kind[each] for each in get_args(Purpose) if each in of_kind}


def canaries_of(cluster: Cluster, agent: str = "") -> Iterator[Canary]:
    """Yield the canaries of an agent, none if no check of the cluster writes.

    `agent`: the name of another agent than that of the settings, or of this host. The check
    `write` has one for each server that holds data, `propagation` for each provider.
    """
    for purpose, own in canary_params(cluster).items():
        name = agent or own.agent or this_agent()
        for server in cluster.data_servers:
            if purpose == "write" or server.role is Role.PROVIDER:
                yield Canary(
                    dn=canary_dn(own.container, name, server, purpose),
                    mark=canary_mark(name, server, purpose),
                    agent=name,
                    server=server,
                    purpose=purpose,
                    object_class=own.object_class,
                )
