"""Regressions that the servers of a cluster share, and what they have in place of it. Pure.

After a restore of the whole cluster from an older backup, every server lacks what it had, and no
server is left from which it could receive that. The replication check calls these functions.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from msgspec import Struct

from ldaphealth.csn.behind import VectorRead
from ldaphealth.csn.regressed import Regression, regressed
from ldaphealth.csn.value import CSN
from ldaphealth.csn.vector import Vector

LEAST_MAJORITY = 2  # one server does not agree with another
Reads = Mapping[str, Sequence[VectorRead]]  # by server, oldest first, at least one of each


class ClusterRegression(Struct, frozen=True, kw_only=True):
    """The regression of one server ID in a cluster.

    `regression` has the newest position that one of `servers` had, and the one that they all show
    now. `is_majority`: they are more than half of the servers of the cluster, and two at least.
    Then `agreed_seconds` is for how long so many were seen with that position; else it is 0.
    `ahead` are the servers that can be read now and show a newer position.
    """

    regression: Regression
    servers: tuple[str, ...]
    is_majority: bool
    agreed_seconds: float
    ahead: tuple[str, ...]

    def has_same(self, other: Regression) -> bool:
        """Return whether a server went back to the same position."""
        return self.regression.has == other.has

    def is_agreed(self, seconds: float) -> bool:
        """Return whether most servers have agreed for so long, and no server has more."""
        return self.is_majority and not self.ahead and self.agreed_seconds >= seconds

    @property
    def can_be_accepted(self) -> bool:
        """Return whether an operator may accept it: most servers agree, or no server has more."""
        return self.is_majority or not self.ahead


def cluster_regressions(
    reads: Reads, cluster_size: int, retired: Collection[int] = frozenset()
) -> dict[int, ClusterRegression]:
    """Return the regressions in a cluster of so many servers, by server ID.

    Pass only reads of servers that can be read now. Of several positions to which servers went
    back, it is the one of the majority, else the newest one.
    """
    found = {server: regressed(of, retired) for server, of in reads.items()}
    sids = sorted({sid for of in found.values() for sid in of})
    return {sid: _of_server_id(sid, reads, found, cluster_size) for sid in sids}


def _of_server_id(
    sid: int,
    reads: Reads,
    found: Mapping[str, Mapping[int, Regression]],
    cluster_size: int,
) -> ClusterRegression:
    by_position: dict[CSN | None, list[str]] = {}
    for server, of in found.items():
        if sid in of:
            by_position.setdefault(of[sid].has, []).append(server)
    most = max(LEAST_MAJORITY, cluster_size // 2 + 1)
    large = [position for position, of in by_position.items() if len(of) >= most]
    has = large[0] if large else max(filter(None, by_position), default=None)
    servers = by_position[has]
    seconds = sorted((_shown_seconds(reads[each], sid, has) for each in servers), reverse=True)
    return ClusterRegression(
        regression=Regression(max(found[each][sid].had for each in servers), has),
        servers=tuple(servers),
        is_majority=bool(large),
        agreed_seconds=seconds[most - 1] if large else 0.0,
        ahead=tuple(server for server, of in reads.items() if _newer(of[-1].vector.get(sid), has)),
    )


def _shown_seconds(reads: Sequence[VectorRead], sid: int, position: CSN | None) -> float:
    """Return for how long a server has been seen with its position of now, without interruption."""
    since = reads[-1].seen_at_seconds
    for read in reversed(reads):
        if read.vector.get(sid) != position:
            break
        since = read.seen_at_seconds
    return max(0.0, reads[-1].seen_at_seconds - reads[-1].duration_seconds - since)


def _newer(position: CSN | None, than: CSN | None) -> bool:
    return position is not None and (than is None or position > than)


def capped(vector: Vector, baseline: Mapping[int, CSN | None]) -> Vector:
    """Return the vector with no position that is newer than that of its server ID in the baseline.

    None in the baseline: no position of that server ID.
    """
    return {
        sid: found
        for sid, position in vector.items()
        if (found := _older(position, baseline[sid]) if sid in baseline else position) is not None
    }


def _older(position: CSN, limit: CSN | None) -> CSN | None:
    return None if limit is None else min(position, limit)
