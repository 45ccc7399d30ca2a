"""Which positions count when servers are compared: those that came from a provider. Pure.

behind.py, the replication check and the comparison of entries use it. A consumer writes under a
server ID of its own, or 000, when it records a login (slapo-lastbind(5)) or had been a server of
its own before; no other server ever receives that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping

from ldaphealth.csn.value import CSN
from ldaphealth.csn.vector import Vector


def counted(vectors: Mapping[str, Vector], consumers: Collection[str]) -> Mapping[str, Vector]:
    """Return the vectors by server, without the positions that only consumers hold.

    A position counts as far as a server holds it that is no consumer. Without such a server it
    counts as far as two servers hold the same, because one of them has received it.
    """
    if not any(server in consumers for server in vectors):
        return vectors
    providers = [vector for server, vector in vectors.items() if server not in consumers]
    limits = newest_positions(providers) if providers else _held_twice(vectors.values())
    return {
        server: {sid: min(position, limits[sid]) for sid, position in of.items() if sid in limits}
        for server, of in vectors.items()
    }


def newest_positions(vectors: Iterable[Vector]) -> Vector:
    """Return the newest position of each server ID."""
    found: dict[int, CSN] = {}
    for vector in vectors:
        for sid, position in vector.items():
            if sid not in found or found[sid] < position:
                found[sid] = position
    return found


def _held_twice(vectors: Iterable[Vector]) -> Vector:
    """Return the newest position of each server ID that at least two servers hold."""
    held = Counter(position for vector in vectors for position in vector.values())
    return newest_positions(
        {position.sid: position} for position, count in held.items() if count > 1
    )
