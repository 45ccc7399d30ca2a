"""Who is behind, who is isolated, and where a cluster is split: pure, from vectors and times.

The replication check calls `assess`. A server is late only by what was proven: a read of it, begun
after another had been seen with a newer position, still lacked that position. So nothing here
needs synchronised clocks, and an idle cluster never looks late.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Reversible, Sequence
from enum import Enum
from math import inf

from msgspec import Struct
from msgspec.structs import replace

from ldaphealth.clocks import MonotonicSeconds
from ldaphealth.csn.value import CSN
from ldaphealth.csn.vector import Vector


class VectorRead(Struct, frozen=True):
    """One read of one server's vector: monotonic seconds when it was complete, and its length.

    The server may have answered from any moment of the read, so without the duration a slow answer
    looks like a late server.
    """

    seen_at_seconds: MonotonicSeconds
    vector: Vector
    duration_seconds: float = 0.0


class ReferenceMode(Enum):
    """Who is right when servers differ: most of them, who has the newest, or one that is named."""

    MAJORITY = "majority"
    NEWEST = "newest"
    SERVER = "server"


class Reference(Struct, frozen=True):
    """With what each server is compared; `server` is its key in the reads, for Mode.SERVER."""

    mode: ReferenceMode = ReferenceMode.MAJORITY
    server: str = ""


class Standing(Struct, frozen=True):
    """How one server stands among the others; each time by server ID, nothing where all is well.

    `behind_seconds`: for how long it has lacked what most others, or half of them, had.
    `isolated_seconds`: for how long most others have lacked what it had.
    `split_seconds`: the same, where nobody can be blamed; nobody may be removed for it.
    With another reference than the majority read "what that has" and "that has lacked"; there is
    no split then, and with the newest nobody is isolated.
    `csn_gap_seconds`: newest CSN minus its own; the gap between two writes, and no lateness.
    """

    behind_seconds: Mapping[int, float] = {}
    isolated_seconds: Mapping[int, float] = {}
    split_seconds: Mapping[int, float] = {}
    csn_gap_seconds: Mapping[int, float] = {}


# By server, oldest first; they are read from the newest backwards, and no further than needed.
Reads = Mapping[str, Reversible[VectorRead]]
Newest = Mapping[str, VectorRead]
# server -> peer -> seconds for which the server was proven to lack something that the peer holds;
# nothing where nothing was proven
Lacks = Mapping[str, Mapping[str, float]]


class _Proven(Struct, frozen=True):
    """Who lacks what, by server ID, and the same the other way round.

    `lacked` has, by holder, for how long each of the others lacked it; `longest` the most of all
    server IDs, by who lacks and who holds.
    """

    lacks: Mapping[int, Lacks]
    lacked: Mapping[int, Mapping[str, Sequence[float]]]
    longest: Mapping[tuple[str, str], float]


MAJORITY = Reference()


def assess(
    reads: Reads,
    retired: frozenset[int] = frozenset(),
    tolerance_seconds: float = 0.0,
    reference: Reference = MAJORITY,
) -> dict[str, Standing]:
    """Return the standing of every server with at least one read (oldest first).

    Give the reads of servers that can be read now: a dead server's last words must not vote, nor
    make its survivors late. What lasts no longer than `tolerance_seconds` is ordinary replication:
    it is told, but turns no blame into a split. A reference server without a read compares nobody.
    """
    newest = {server: next(reversed(of), None) for server, of in reads.items()}
    now = {server: sighting for server, sighting in newest.items() if sighting is not None}
    heads = _heads(now, retired)
    lacks = {
        sid: _lacks(reads, now, sid) for sid, head in heads.items() if _is_behind(now, sid, head)
    }
    proven = _proven(lacks)
    standings = {
        server: replace(
            _compared(server, proven, now, tolerance_seconds, reference),
            csn_gap_seconds=_gaps(sighting.vector, heads),
        )
        for server, sighting in now.items()
    }
    if reference.mode is ReferenceMode.MAJORITY:
        return _without_a_guilty_majority(standings, tolerance_seconds)
    return standings


def _heads(now: Newest, retired: frozenset[int]) -> dict[int, CSN]:
    """Return the newest position of every server ID that a server holds now."""
    heads: dict[int, CSN] = {}
    for sighting in now.values():
        for sid, position in sighting.vector.items():
            if sid not in retired:
                heads[sid] = max(heads.get(sid, position), position)
    return heads


def _is_behind(now: Newest, sid: int, head: CSN) -> bool:
    """Tell whether anybody lacks the newest position; mostly nobody does, and there is no more."""
    return any(sighting.vector.get(sid) != head for sighting in now.values())


def _gaps(mine: Vector, heads: Mapping[int, CSN]) -> dict[int, float]:
    return {
        sid: (head.time - mine[sid].time).total_seconds()
        for sid, head in heads.items()
        if sid in mine
    }


def _lacks(reads: Reads, now: Newest, sid: int) -> Lacks:
    held = {server: sighting.vector.get(sid) for server, sighting in now.items()}
    holders = [(position, peer) for peer, position in held.items() if position is not None]
    holders.sort(reverse=True)
    since: dict[tuple[str, CSN | None], MonotonicSeconds] = {}
    found: dict[str, dict[str, float]] = {}
    for server, mine in now.items():
        position = held[server]
        for newer, peer in holders:
            if not _newer(newer, position):
                break
            key = peer, position
            if key not in since:
                since[key] = _held_since(reads[peer], sid, position)
            seconds = _lacked_seconds(reads[server], mine, since[key], sid)
            if seconds > 0:
                found.setdefault(server, {})[peer] = seconds
    return found


def _held_since(theirs: Reversible[VectorRead], sid: int, position: CSN | None) -> MonotonicSeconds:
    """Return since when a server is known to have held something newer, without a break."""
    since = inf
    for sighting in reversed(theirs):
        if not _newer(sighting.vector.get(sid), position):
            break
        since = sighting.seen_at_seconds
    return since


def _lacked_seconds(
    own: Reversible[VectorRead], now: VectorRead, since: MonotonicSeconds, sid: int
) -> float:
    """Return for how long a server has been proven to lack what another has held since then.

    If the server itself was seen with it since (restored from a backup, restarted from an old
    checkpoint), it counts from then.
    """
    position = now.vector.get(sid)
    began = now.seen_at_seconds - now.duration_seconds
    if since >= began:
        return 0.0
    for sighting in reversed(own):
        if sighting.seen_at_seconds <= since:
            break
        if _newer(sighting.vector.get(sid), position):
            since = sighting.seen_at_seconds
            break
    return max(0.0, began - since)


def _proven(lacks: Mapping[int, Lacks]) -> _Proven:
    lacked: dict[int, dict[str, list[float]]] = {}
    longest: dict[tuple[str, str], float] = {}
    for sid, of in lacks.items():
        holders = lacked[sid] = {}
        for server, row in of.items():
            for peer, seconds in row.items():
                holders.setdefault(peer, []).append(seconds)
                longest[server, peer] = max(seconds, longest.get((server, peer), 0.0))
    return _Proven(lacks, lacked, longest)


def _newer(position: CSN | None, than: CSN | None) -> bool:
    return position is not None and (than is None or position > than)


def _compared(
    server: str,
    proven: _Proven,
    now: Newest,
    tolerance_seconds: float,
    reference: Reference,
) -> Standing:
    lacks = proven.lacks
    match reference.mode:
        case ReferenceMode.MAJORITY:
            return _blame(server, proven, len(now), tolerance_seconds)
        case ReferenceMode.NEWEST:
            mine = {sid: of[server] for sid, of in lacks.items() if server in of}
            return Standing({sid: max(row.values()) for sid, row in mine.items()})
        case ReferenceMode.SERVER:
            return Standing(
                _between(lacks, server, reference.server), _between(lacks, reference.server, server)
            )


def _between(lacks: Mapping[int, Lacks], server: str, peer: str) -> dict[int, float]:
    """Return for how long one server has lacked what another holds."""
    return _times({sid: of.get(server, {}).get(peer, 0.0) for sid, of in lacks.items()})


def _blame(server: str, proven: _Proven, servers: int, tolerance_seconds: float) -> Standing:
    """Return what one server is to blame for; a time holds for as many peers as it takes."""
    most, half = servers // 2 + 1, (servers + 1) // 2
    behind: dict[int, float] = {}
    isolated: dict[int, float] = {}
    split: dict[int, float] = {}
    for sid, of in proven.lacks.items():
        _note(isolated, sid, _longest(proven.lacked[sid].get(server, ()), most))
        mine = of.get(server)
        if not mine:
            continue
        by_most, by_half = _longest(mine.values(), most), _longest(mine.values(), half)
        late = (peer for peer, seconds in mine.items() if seconds > tolerance_seconds)
        theirs = max((proven.longest.get((peer, server), 0.0) for peer in late), default=0.0)
        mutual = theirs > tolerance_seconds
        _note(behind, sid, by_most if mutual else by_half)
        if mutual and by_most <= tolerance_seconds:
            _note(split, sid, min(by_half, theirs))
    return Standing(behind, isolated, split)


def _longest(seconds: Collection[float], which: int) -> float:
    """Return the time that at least so many of the times reach."""
    if which > len(seconds):
        return 0.0
    ordered = sorted(seconds, reverse=True)
    return ordered[which - 1]


def _note(times: dict[int, float], sid: int, seconds: float) -> None:
    if seconds > 0:
        times[sid] = seconds


def _times(seconds: Mapping[int, float]) -> dict[int, float]:
    return {sid: each for sid, each in seconds.items() if each > 0}


def _without_a_guilty_majority(
    standings: dict[str, Standing], tolerance_seconds: float
) -> dict[str, Standing]:
    """Where more than half would be to blame, blame nobody: there is no majority to trust."""
    guilty = {
        server
        for server, standing in standings.items()
        if max((*standing.behind_seconds.values(), *standing.isolated_seconds.values()), default=0)
        > tolerance_seconds
    }
    if 2 * len(guilty) <= len(standings):
        return standings
    return {
        server: _as_split(standing) if server in guilty else standing
        for server, standing in standings.items()
    }


def _as_split(standing: Standing) -> Standing:
    kinds = standing.behind_seconds, standing.isolated_seconds, standing.split_seconds
    sids = {sid for times in kinds for sid in times}
    return Standing(
        split_seconds={sid: max(times.get(sid, 0.0) for times in kinds) for sid in sorted(sids)},
        csn_gap_seconds=standing.csn_gap_seconds,
    )
