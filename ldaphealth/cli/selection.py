"""The clusters and servers that a command looks at."""

from __future__ import annotations

from msgspec import Struct

from ldaphealth.settings import Cluster, Settings


class Selection(Struct, frozen=True):
    """The clusters to look at whole, the IDs of the servers that are asked about, and the rest."""

    clusters: list[Cluster]
    servers: frozenset[str]
    settings: Settings | None = None  # none where no configuration file names the servers

    @classmethod
    def of_whole(cls, cluster: Cluster) -> Selection:
        """Return a selection of all servers of one cluster, which no configuration file names."""
        return cls([cluster], frozenset(server.id for server in cluster.servers))
