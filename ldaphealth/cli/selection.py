"""The clusters and servers that a command checks."""

from __future__ import annotations

from msgspec import Struct

from ldaphealth.settings import Cluster, Settings


class Selection(Struct, frozen=True):
    """The clusters to check, and the IDs of the servers to report."""

    clusters: list[Cluster]
    servers: frozenset[str]
    settings: Settings | None = None  # None without a configuration file

    @classmethod
    def of_whole(cls, cluster: Cluster) -> Selection:
        """Return a selection of all servers of one cluster, without a configuration file."""
        return cls([cluster], frozenset(server.id for server in cluster.servers))
