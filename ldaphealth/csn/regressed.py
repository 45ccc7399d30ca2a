"""Regressions: positions that a server had and has no more. Pure, from its own reads alone.

The replication check calls these functions. A position never decreases while a database lives, so a
decrease proves a restore, whatever the other servers hold.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from msgspec import Struct

from ldaphealth.csn.behind import VectorRead
from ldaphealth.csn.value import CSN


class Regression(Struct, frozen=True):
    """The newest position that a server had, and the older one that it has, None without one."""

    had: CSN
    has: CSN | None


def regressed(
    reads: Sequence[VectorRead], retired: Collection[int] = frozenset()
) -> dict[int, Regression]:
    """Return the regressions of the newest read, by server ID; reads are oldest first.

    Of two reads that overlap, the one that ended later may have been answered earlier. So only the
    reads that ended before the newest one began are used.
    """
    if not reads:
        return {}
    now = reads[-1].vector
    began = reads[-1].seen_at_seconds - reads[-1].duration_seconds
    had: dict[int, CSN] = {}
    for read in reads[:-1]:
        if read.seen_at_seconds > began or read.vector is now:
            continue
        for sid, position in read.vector.items():
            known = had.get(sid, now.get(sid))
            if sid not in retired and (known is None or position > known):
                had[sid] = position
    return {sid: Regression(position, now.get(sid)) for sid, position in sorted(had.items())}


def never_shown(reads: Sequence[VectorRead], sids: Collection[int]) -> frozenset[int]:
    """Return the server IDs of which no read shows a position."""
    return frozenset(sids) - {sid for read in reads for sid in read.vector}
