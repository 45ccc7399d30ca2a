"""The replication state of one cluster, looked at again and again: a matrix for people.

`ldaphealth csn watch` drives it; publish/csn_matrix.py draws what it returns. It asks the servers
itself, so it also works where no agent runs.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from msgspec.structs import replace

from ldaphealth.check import Cluster
from ldaphealth.csn import ATTRIBUTE, CSNError, Sighting, assess, parse_vector
from ldaphealth.deadline import Deadline
from ldaphealth.model import Observation, Server
from ldaphealth.probe import probe

CHECKS = frozenset({"connect", "bind", "replication"})
MOST_THREADS = 64
KEPT = 256  # looks


class CSNWatch:
    """What was seen of a cluster since the watch began."""

    def __init__(self, cluster: Cluster) -> None:
        checks = tuple(each for each in cluster.checks if each.check.name in CHECKS)
        self.cluster = replace(cluster, checks=checks)
        self._reads: dict[str, list[Sighting]] = {}
        self._trouble: dict[str, str] = {}

    def look(self) -> None:
        """Read every server once, side by side, within the cluster's deadline."""
        servers = self.cluster.servers
        deadline = Deadline.after(self.cluster.deadline_seconds)
        with ThreadPoolExecutor(min(MOST_THREADS, len(servers)), "watch") as pool:
            seen = pool.map(lambda server: probe(server, self.cluster.checks, deadline), servers)
            for server, observations in zip(servers, seen, strict=True):
                self._note(server, observations)

    def matrix(self, epoch_seconds: float) -> dict[str, Any]:
        """Return servers against server IDs; `epoch_seconds` is only for the age of a change."""
        standing = {
            server: sightings
            for server, sightings in self._reads.items()
            if server not in self._trouble
        }
        standings = assess(standing)
        sids = sorted({sid for reads in standing.values() for sid in reads[-1].vector})
        return {
            "cluster": self.cluster.name,
            "server_ids": [f"{sid:03x}" for sid in sids],
            "servers": [
                {
                    "server": server.id,
                    "trouble": self._trouble.get(server.id, ""),
                    "positions": {
                        f"{sid:03x}": {
                            "csn": str(csn),
                            "age_seconds": epoch_seconds - csn.time.timestamp(),
                            "gap_seconds": standings[server.id].csn_gap_seconds.get(sid, 0.0),
                            "behind_seconds": standings[server.id].behind_seconds.get(sid, 0.0),
                            "isolated_seconds": standings[server.id].isolated_seconds.get(sid, 0.0),
                            "split_seconds": standings[server.id].split_seconds.get(sid, 0.0),
                        }
                        for sid, csn in sorted(standing[server.id][-1].vector.items())
                    }
                    if server.id in standing
                    else {},
                }
                for server in self.cluster.servers
            ],
        }

    def _note(self, server: Server, observations: list[Observation]) -> None:
        self._trouble.pop(server.id, None)
        latest = observations[-1]
        if latest.failure is not None:
            self._trouble[server.id] = f"{latest.check}: {latest.failure.detail}"
            return
        values = latest.facts.get(ATTRIBUTE)
        try:
            vector = parse_vector(map(str, values)) if isinstance(values, tuple) else {}
        except CSNError as error:
            self._trouble[server.id] = str(error)
            return
        if not vector:
            self._trouble[server.id] = f"no {ATTRIBUTE} can be read"
            return
        reads = self._reads.setdefault(server.id, [])
        reads.append(Sighting(latest.ended_at, vector, latest.duration_seconds))
        del reads[:-KEPT]
