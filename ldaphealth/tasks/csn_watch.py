"""The replication state of one cluster, probed repeatedly, as a matrix.

`ldaphealth csn watch` runs it, and tables/csn_matrix.py renders the matrix. It reads the servers
directly and needs no agent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from msgspec.structs import replace

from ldaphealth.checks.consumer import Link
from ldaphealth.checks.replication import Params
from ldaphealth.checks.vector_reads import vector, vector_read
from ldaphealth.clocks import EpochSeconds
from ldaphealth.csn import ATTRIBUTE, CSNError, Standing, VectorRead, assess
from ldaphealth.ldap.deadline import Deadline
from ldaphealth.model import AnyObservation, Server
from ldaphealth.rounds.probe import probe_server
from ldaphealth.settings import Cluster

CHECKS = frozenset({"connect", "bind", "replication", "consumer"})
MOST_THREADS = 64
MAX_READS = 256  # kept for each server
UNREADABLE = f"cannot read {ATTRIBUTE}"


class CSNWatch:
    """The reads of a cluster since the watch began."""

    def __init__(self, cluster: Cluster) -> None:
        checks = tuple(each for each in cluster.checks if each.check.name in CHECKS)
        self.cluster = replace(cluster, checks=checks)
        self._reads: dict[str, list[VectorRead]] = {}
        self._failures: dict[str, str] = {}
        self._links: dict[str, tuple[Link, ...]] = {}

    def probe(self) -> None:
        """Read every server once, in parallel, within the deadline of the cluster."""
        servers = self.cluster.servers
        deadline = Deadline.after(self.cluster.deadline_seconds)
        with ThreadPoolExecutor(min(MOST_THREADS, len(servers)), "watch") as pool:
            probed = pool.map(
                lambda server: probe_server(server, self.cluster.checks, deadline), servers
            )
            for server, observations in zip(servers, probed, strict=True):
                self._note(server, observations)

    def matrix(self, epoch_seconds: EpochSeconds) -> dict[str, Any]:
        """Return the matrix; `epoch_seconds` is only used for the age of a change."""
        readable = {
            server: reads for server, reads in self._reads.items() if server not in self._failures
        }
        standings = assess(readable)
        sids = sorted({sid for reads in readable.values() for sid in reads[-1].vector})
        return {
            "cluster": self.cluster.name,
            "server_ids": [f"{sid:03x}" for sid in sids],
            "servers": [
                {
                    "server": server.id,
                    "trouble": self._failures.get(server.id, ""),
                    "positions": _positions(
                        readable[server.id][-1], standings[server.id], epoch_seconds
                    )
                    if server.id in readable
                    else {},
                    "phase": _phase(self._links.get(server.id, ())),
                    "links": [_link(each) for each in self._links.get(server.id, ())],
                }
                for server in self.cluster.servers
            ],
        }

    def _note(self, server: Server, observations: list[AnyObservation]) -> None:
        self._failures.pop(server.id, None)
        self._links.pop(server.id, None)
        by_check = {each.check: each for each in observations}
        failure = observations[-1].failure
        replication = by_check.get("replication")
        if replication is None or replication.facts is None:
            failure = replication.failure if replication else failure
            self._failures[server.id] = failure.detail if failure else UNREADABLE
            return
        consumer = by_check.get("consumer")
        if consumer is not None and consumer.facts is not None:  # the account may read cn=Monitor
            self._links[server.id] = consumer.facts.links
        base = self._base(server)
        try:
            vector(replication.facts, base)
        except CSNError as error:
            self._failures[server.id] = str(error)
            return
        read = vector_read(replication, base)
        if read is None:
            self._failures[server.id] = UNREADABLE
            return
        reads = self._reads.setdefault(server.id, [])
        reads.append(read)
        del reads[:-MAX_READS]

    def _base(self, server: Server) -> str:
        """Return the naming context to show: the first, if several are judged."""
        params = (each.params for each in self.cluster.checks if isinstance(each.params, Params))
        return next(params, Params()).contexts(server)[0]


def _positions(read: VectorRead, standing: Standing, epoch_seconds: EpochSeconds) -> dict[str, Any]:
    return {
        f"{sid:03x}": {
            "csn": str(csn),
            "age_seconds": epoch_seconds - csn.time.timestamp(),
            "gap_seconds": standing.csn_gap_seconds.get(sid, 0.0),
            "behind_seconds": standing.behind_seconds.get(sid, 0.0),
            "isolated_seconds": standing.isolated_seconds.get(sid, 0.0),
            "split_seconds": standing.split_seconds.get(sid, 0.0),
        }
        for sid, csn in sorted(read.vector.items())
    }


def _phase(links: Sequence[Link]) -> str:
    """Return the phases of the links of a server, the most frequent first."""
    counted = Counter(link.phase_now for link in links)
    if len(counted) == 1:
        return next(iter(counted))
    return ", ".join(f"{count} {phase}" for phase, count in counted.most_common())


def _link(link: Link) -> dict[str, Any]:
    return {"provider": link.name, "connected": link.connected, "phase": link.phase_now}
