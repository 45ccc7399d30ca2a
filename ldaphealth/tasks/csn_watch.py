"""The replication state of one cluster, probed repeatedly, as a matrix.

`ldaphealth csn watch` runs it, and tables/csn_matrix.py renders the matrix. It reads the servers
directly and needs no agent. It compares them by the settings of the check `replication`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from msgspec.structs import replace

from ldaphealth.checks.links import Link
from ldaphealth.checks.replication import Params
from ldaphealth.checks.vector_reads import vector, vector_read
from ldaphealth.clocks import EpochSeconds
from ldaphealth.csn import ATTRIBUTE, CSN, CSNError, Standing, VectorRead, assess
from ldaphealth.ldap.accounts import Accounts
from ldaphealth.ldap.deadline import Deadline
from ldaphealth.model import AnyObservation, Server
from ldaphealth.rounds.probe import probe_server
from ldaphealth.settings import Cluster, ConfiguredCheck

CHECKS = frozenset({"connect", "bind", "replication", "consumer"})
MOST_THREADS = 64
MAX_READS = 256  # kept for each server and naming context
UNREADABLE = f"cannot read {ATTRIBUTE}"
Probe = Callable[[Server, Sequence[ConfiguredCheck], Deadline], list[AnyObservation]]
KINDS = ("behind", "isolated", "split")


class CSNWatch:
    """The reads of a cluster since the watch began."""

    def __init__(self, cluster: Cluster, probe: Probe | None = None) -> None:
        checks = tuple(each for each in cluster.checks if each.check.name in CHECKS)
        self.cluster = replace(cluster, servers=cluster.data_servers, checks=checks)
        self._probe = probe or partial(probe_server, accounts=Accounts())
        params = (each.params for each in checks if isinstance(each.params, Params))
        self._params = next(params, Params())
        self._terms = self._params.terms(
            cluster.name, self.cluster.servers, self._params.behind_second_look
        )
        self._reads: dict[str, dict[str, list[VectorRead]]] = {}  # by naming context and server
        self._failures: dict[tuple[str, str], str] = {}  # by naming context and server
        self._links: dict[str, tuple[Link, ...]] = {}

    def probe(self) -> None:
        """Read every server once, in parallel, within the deadline of the cluster."""
        servers = self.cluster.servers
        deadline = Deadline.after(self.cluster.deadline_seconds)
        with ThreadPoolExecutor(max(1, min(MOST_THREADS, len(servers))), "watch") as pool:
            probed = pool.map(
                lambda server: self._probe(server, self.cluster.checks, deadline), servers
            )
            for server, observations in zip(servers, probed, strict=True):
                self._note(server, observations)

    def matrix(self, epoch_seconds: EpochSeconds) -> dict[str, Any]:
        """Return the matrix, with a row for each server and naming context.

        `epoch_seconds` is only used for the age of a change.
        """
        bases = dict.fromkeys(
            base for server in self.cluster.servers for base in self._params.contexts(server)
        )
        rows = [row for base in bases for row in self._rows(base, epoch_seconds)]
        return {
            "cluster": self.cluster.name,
            "server_ids": sorted({sid for row in rows for sid in row["positions"]}),
            "bases": [*bases],
            "servers": rows,
        }

    def _rows(self, base: str, epoch_seconds: EpochSeconds) -> Iterator[dict[str, Any]]:
        """Yield the rows of the servers that hold a naming context."""
        reads = {
            server: of
            for server, of in self._reads.get(base, {}).items()
            if (base, server) not in self._failures
        }
        standings = assess(reads, self._terms)
        apart = {
            sid
            for each in standings.values()
            for times in (each.isolated_seconds, each.split_seconds)
            for sid, seconds in times.items()
            if seconds > self._terms.tolerance_seconds
        }
        for server in self.cluster.servers:
            if base not in self._params.contexts(server):
                continue
            standing = standings.get(server.id, Standing())
            vector_now = reads[server.id][-1].vector if server.id in reads else {}
            links = self._links.get(server.id, ())
            yield {
                "server": server.id,
                "base": base,
                "trouble": self._failures.get((base, server.id), ""),
                "state": _state(standing, apart) if server.id in reads else "",
                "sides": [[_name(each) for each in side] for side in standing.sides],
                "positions": _positions(vector_now, standing, epoch_seconds),
                "phase": _phase(links),
                "links": [_link(each) for each in links],
            }

    def _note(self, server: Server, observations: list[AnyObservation]) -> None:
        self._links.pop(server.id, None)
        by_check = {each.check: each for each in observations}
        consumer = by_check.get("consumer")
        if consumer is not None and consumer.facts is not None:  # the account may read cn=Monitor
            self._links[server.id] = consumer.facts.links
        for base in self._params.contexts(server):
            found = _read(by_check.get("replication"), base, observations[-1])
            if isinstance(found, str):
                self._failures[base, server.id] = found
                continue
            self._failures.pop((base, server.id), None)
            reads = self._reads.setdefault(base, {}).setdefault(server.id, [])
            reads.append(found)
            del reads[:-MAX_READS]


def _read(seen: AnyObservation | None, base: str, last: AnyObservation) -> VectorRead | str:
    """Return the read of one naming context, or why there is none."""
    if seen is None or seen.facts is None:
        failure = seen.failure if seen else last.failure
        return failure.detail if failure else UNREADABLE
    try:
        vector(seen.facts, base)
    except CSNError as error:
        return str(error)
    return vector_read(seen, base) or UNREADABLE


def _state(standing: Standing, apart: Iterable[int]) -> str:
    """Return the state of a server in one word.

    It is `behind`, `isolated` or `split`; `lacking`: it lacks only what an isolated server or
    another side of a split has; `coming`: it lacks a change that is on its way; or `level`.
    """
    for kind, times in zip(KINDS, _times(standing), strict=True):
        if times:
            return kind
    lacked = {sid for sid, seconds in standing.csn_gap_seconds.items() if seconds > 0}
    if lacked & {*apart}:
        return "lacking"
    return "coming" if lacked else "level"


def _times(standing: Standing) -> tuple[Mapping[int, float], ...]:
    """Return the seconds by server ID, in the order of KINDS."""
    return standing.behind_seconds, standing.isolated_seconds, standing.split_seconds


def _positions(
    shown: Mapping[int, CSN], standing: Standing, epoch_seconds: EpochSeconds
) -> dict[str, Any]:
    """Return the positions by server ID; one that the server lacks altogether has no CSN."""
    sids = sorted({*shown}.union(*_times(standing)))
    return {f"{sid:03x}": _position(sid, shown.get(sid), standing, epoch_seconds) for sid in sids}


def _position(
    sid: int, csn: CSN | None, standing: Standing, epoch_seconds: EpochSeconds
) -> dict[str, Any]:
    return {
        "csn": None if csn is None else str(csn),
        "age_seconds": None if csn is None else epoch_seconds - csn.time.timestamp(),
        "gap_seconds": standing.csn_gap_seconds.get(sid, 0.0),
    } | {
        f"{kind}_seconds": times.get(sid, 0.0)
        for kind, times in zip(KINDS, _times(standing), strict=True)
    }


def _name(server: str) -> str:
    return server.partition("/")[2]


def _phase(links: Sequence[Link]) -> str:
    """Return the phases of the links of a server, the most frequent first."""
    counted = Counter(link.phase_now for link in links)
    if len(counted) == 1:
        return next(iter(counted))
    return ", ".join(f"{count} {phase}" for phase, count in counted.most_common())


def _link(link: Link) -> dict[str, Any]:
    return {"provider": link.name, "connected": link.connected, "phase": link.phase_now}
