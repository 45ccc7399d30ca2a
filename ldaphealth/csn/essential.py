"""The few of many reads that later judgements depend on. Pure.

The agent saves them, so that after a restart it still knows since when a server lacks changes, and
which it had. `assess` and `regressed` return the same for them as for all reads, and while a server
does not change `cluster_regressions` does, too.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from ldaphealth.csn.behind import VectorRead
from ldaphealth.csn.value import CSN


def essential(reads: Mapping[str, Sequence[VectorRead]]) -> dict[str, list[VectorRead]]:
    """Return some of each server's reads (oldest first), always the newest among them."""
    seen = {server: each for server, each in reads.items() if each}
    now: dict[int, set[CSN | None]] = {}
    for sid in {sid for each in seen.values() for sid in each[-1].vector}:
        now[sid] = {each[-1].vector.get(sid) for each in seen.values()}
    return {
        server: [each[place] for place in sorted(_places(each, now))]
        for server, each in seen.items()
    }


def _places(reads: Sequence[VectorRead], now: Mapping[int, Collection[CSN | None]]) -> set[int]:
    """Return the indexes of one server's reads that are needed."""
    found = {len(reads) - 1}
    for sid in {sid for each in reads for sid in each.vector}:
        position = reads[-1].vector.get(sid)
        found |= _newest(reads, sid, position)
        for other in now.get(sid, ()):
            if _newer(position, other):
                found |= _since(reads, sid, other)
    return found


def _newest(reads: Sequence[VectorRead], sid: int, position: CSN | None) -> set[int]:
    """Return the last read with a newer position than `position`, and the one after it.

    Also the last read with the newest position. Reads may overlap, and then have no order, so the
    first read with the newest is needed, too.
    """
    newer = [n for n, each in enumerate(reads) if _newer(each.vector.get(sid), position)]
    if not newer:
        return set()
    newest = max(reads[n].vector[sid] for n in newer)
    having = [n for n in newer if reads[n].vector[sid] == newest]
    return {newer[-1], newer[-1] + 1, having[0], having[-1]}


def _since(reads: Sequence[VectorRead], sid: int, other: CSN | None) -> set[int]:
    """Return the first of the newest reads that are all newer than `other`, and the one before."""
    first = len(reads)
    while first and _newer(reads[first - 1].vector.get(sid), other):
        first -= 1
    return {first, max(0, first - 1)}


def _newer(position: CSN | None, than: CSN | None) -> bool:
    return position is not None and (than is None or position > than)
