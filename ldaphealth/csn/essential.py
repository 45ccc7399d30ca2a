"""Of many reads the few that later judgements rest on: pure.

The agent saves these, so that a restart forgets neither since when a server lacks something
nor what it had. `assess` and `regressed` say the same of them as of all.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from ldaphealth.csn.behind import VectorRead
from ldaphealth.csn.value import CSN


def essential(reads: Mapping[str, Sequence[VectorRead]]) -> dict[str, list[VectorRead]]:
    """Return some of each server's reads (oldest first), always the newest among them."""
    seen = {server: sightings for server, sightings in reads.items() if sightings}
    now: dict[int, set[CSN | None]] = {}
    for sid in {sid for each in seen.values() for sid in each[-1].vector}:
        now[sid] = {each[-1].vector.get(sid) for each in seen.values()}
    return {
        server: [sightings[place] for place in sorted(_places(sightings, now))]
        for server, sightings in seen.items()
    }


def _places(mine: Sequence[VectorRead], now: Mapping[int, Collection[CSN | None]]) -> set[int]:
    """Return which of one server's reads are needed."""
    found = {len(mine) - 1}
    for sid in {sid for each in mine for sid in each.vector}:
        position = mine[-1].vector.get(sid)
        found |= _newest(mine, sid, position)
        for other in now.get(sid, ()):
            if _newer(position, other):
                found |= _since(mine, sid, other)
    return found


def _newest(mine: Sequence[VectorRead], sid: int, position: CSN | None) -> set[int]:
    """Return the last read that shows more than the newest, and the last that shows most of all.

    Two reads may overlap, and then prove no order; so the first of those with most is needed too.
    """
    more = [n for n, each in enumerate(mine) if _newer(each.vector.get(sid), position)]
    if not more:
        return set()
    most = max(mine[n].vector[sid] for n in more)
    having = [n for n in more if mine[n].vector[sid] == most]
    return {more[-1], having[0], having[-1]}


def _since(mine: Sequence[VectorRead], sid: int, other: CSN | None) -> set[int]:
    """Return from which read on it had more than another has now, and the read before that."""
    first = len(mine)
    while first and _newer(mine[first - 1].vector.get(sid), other):
        first -= 1
    return {first, max(0, first - 1)}


def _newer(position: CSN | None, than: CSN | None) -> bool:
    return position is not None and (than is None or position > than)
