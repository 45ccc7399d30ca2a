"""What one server had and has no more: pure, from its own reads and nothing else.

The replication check calls these. A position only ever grows while a database lives, so one that
fell tells of a restore, whatever the other servers hold and even when there are none.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from msgspec import Struct

from ldaphealth.csn.behind import VectorRead
from ldaphealth.csn.value import CSN


class Regression(Struct, frozen=True):
    """The newest position that a server was seen with, and the older one, or none, that it has."""

    had: CSN
    has: CSN | None


def regressed(
    reads: Sequence[VectorRead], retired: Collection[int] = frozenset()
) -> dict[int, Regression]:
    """Return by server ID what the newest read lacks of what an earlier one held (oldest first).

    Of two reads that overlap the one that ended later may have been answered earlier, so only what
    was complete before the newest began proves anything.
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
    """Return those of the server IDs of which no read shows any position."""
    return frozenset(sids) - {sid for read in reads for sid in read.vector}
