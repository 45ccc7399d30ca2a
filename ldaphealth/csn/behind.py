"""Which servers are behind or isolated, and where a cluster is split. Pure, from vectors and times.

The replication check calls `assess`. A server is behind only if that is proven: a read of it, which
began after another server was seen with a newer position, still lacked that position. So clocks
need not be synchronised, and an idle cluster is never behind.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Reversible, Sequence
from enum import Enum
from math import inf
from operator import itemgetter

from msgspec import Struct
from msgspec.structs import replace

from ldaphealth.clocks import MonotonicSeconds
from ldaphealth.csn.counted import counted, newest_positions
from ldaphealth.csn.value import CSN
from ldaphealth.csn.vector import Vector


class VectorRead(Struct, frozen=True, gc=False):
    """One read of the vector of a server: when it ended, in monotonic seconds, and its duration.

    The vector may be from any moment of the read. Without the duration, a server that answers
    slowly would seem to be behind. `poll_interval_seconds`: from one poll of its provider to the
    next, 0 if its links last; None if that was not known then.
    """

    seen_at_seconds: MonotonicSeconds
    vector: Vector
    duration_seconds: float = 0.0
    poll_interval_seconds: float | None = 0.0


class ReferenceMode(Enum):
    """With what a server is compared: with most others, the newest position, or a named server."""

    MAJORITY = "majority"
    NEWEST = "newest"
    SERVER = "server"


class Reference(Struct, frozen=True):
    """With what each server is compared; `server` is the server ID for `ReferenceMode.SERVER`."""

    mode: ReferenceMode = ReferenceMode.MAJORITY
    server: str = ""


class Standing(Struct, frozen=True):
    """How one server compares with the others: seconds by server ID, no entries when all is well.

    `behind_seconds`: for how long it has lacked what most others, or half of them, had.
    `isolated_seconds`: for how long most others have lacked what it had.
    `split_seconds`: for how long both halves have lacked something; no server is removed for it.
    With another reference than the majority, "most others" is the reference. Then there is no
    split, and with the newest position as reference no server is isolated.
    `sides`: with a split, the servers that lack nothing of each other, by side.
    `csn_gap_seconds`: the newest CSN minus its own, which is the time between two writes.
    """

    behind_seconds: Mapping[int, float] = {}
    isolated_seconds: Mapping[int, float] = {}
    split_seconds: Mapping[int, float] = {}
    csn_gap_seconds: Mapping[int, float] = {}
    sides: tuple[tuple[str, ...], ...] = ()


# By server, oldest first; they are used from the newest backwards, and no further than needed.
Reads = Mapping[str, Reversible[VectorRead]]
Newest = Mapping[str, VectorRead]
# server -> peer -> seconds for which the server was proven to lack something that the peer holds
Lacks = Mapping[str, Mapping[str, float]]


class _Proven(Struct, frozen=True):
    """The proven lacks by server ID, and the same in other forms.

    `lacked` has the seconds by server ID and by the server that holds the position. `longest` has
    the longest seconds over all server IDs, by the pair of the server that lacks and its peer.
    """

    lacks: Mapping[int, Lacks]
    lacked: Mapping[int, Mapping[str, Sequence[float]]]
    longest: Mapping[tuple[str, str], float]


MAJORITY = Reference()


def _polled_every_seconds(reads: Reversible[VectorRead]) -> float:
    """Return the time between two polls, by the newest read that knows it; 0 without polls."""
    known = (read.poll_interval_seconds for read in reversed(reads))
    return next((each for each in known if each is not None), 0.0)


class Terms(Struct, frozen=True, kw_only=True):
    """On what terms servers are compared.

    `retired`: server IDs that are not compared. `tolerance_seconds`: lacks of up to that time are
    normal replication; they are returned, but make no split. `consumers`: the servers that only
    copy; what they alone hold is not compared (counted.py). `poll_interval_seconds`: for how long
    a server that polls its provider may lack what others have, by server, if its reads show no
    longer time; the times in a standing count beyond that. `own_tolerance_seconds`: the tolerance
    of servers that have another one, by server; as far as it is longer, what they lack is held
    against no other server.
    """

    retired: frozenset[int] = frozenset()
    tolerance_seconds: float = 0.0
    reference: Reference = MAJORITY
    consumers: frozenset[str] = frozenset()
    poll_interval_seconds: Mapping[str, float] = {}
    own_tolerance_seconds: Mapping[str, float] = {}

    def allowed_seconds(self, server: str, reads: Reversible[VectorRead]) -> float:
        """Return for how long that server, with these reads, may lack what others have."""
        configured = self.poll_interval_seconds.get(server, 0.0)
        longer = self.own_tolerance_seconds.get(server, 0.0) - self.tolerance_seconds
        return max(configured, _polled_every_seconds(reads)) + max(0.0, longer)


DEFAULT_TERMS = Terms()


class _Compared(Struct, frozen=True):
    """The newest reads, the positions in them that count, and what servers lack of these."""

    now: Newest
    vectors: Mapping[str, Vector]
    heads: Vector
    lacks: Mapping[int, Lacks]


def assess(reads: Reads, terms: Terms = DEFAULT_TERMS) -> dict[str, Standing]:
    """Return the standing of every server with at least one read (oldest first).

    Pass only reads of servers that can be read now: the last reads of a dead server must not count
    in the majority. Without a read of the reference server, no server is behind or isolated.
    """
    return _standings(_compared(reads, terms), terms)


def standing_of(server: str, reads: Reads, terms: Terms) -> Standing:
    """Return the standing of one server among all; KeyError if there is no read of it.

    Usually no server lacks anything for longer than it may. Then those of the others do not matter.
    """
    compared = _compared(reads, terms)
    if any(compared.lacks.values()):
        return _standings(compared, terms)[server]
    return Standing(csn_gap_seconds=_gaps(compared.vectors[server], compared.heads))


def _compared(reads: Reads, terms: Terms) -> _Compared:
    latest = {server: next(reversed(of), None) for server, of in reads.items()}
    now = {server: read for server, read in latest.items() if read is not None}
    vectors = counted({server: read.vector for server, read in now.items()}, terms.consumers)
    heads = {
        sid: head
        for sid, head in newest_positions(vectors.values()).items()
        if sid not in terms.retired
    }
    lacks: dict[int, Lacks] = {}
    for sid, head in heads.items():
        held = {server: vector.get(sid) for server, vector in vectors.items()}
        if any(position != head for position in held.values()):
            is_late = _is_any_late(reads, now, held, sid)
            lacks[sid] = _lacks(reads, now, held, terms) if is_late else {}
    return _Compared(now, vectors, heads, lacks)


def _standings(compared: _Compared, terms: Terms) -> dict[str, Standing]:
    now = compared.now
    proven = _proven(compared.lacks)
    standings = {
        server: replace(
            _standing(server, proven, now, terms),
            csn_gap_seconds=_gaps(compared.vectors[server], compared.heads),
        )
        for server in now
    }
    if terms.reference.mode is not ReferenceMode.MAJORITY:
        return standings
    standings = _split_without_majority(standings, terms.tolerance_seconds)
    standings = _with_all_in_split(standings, proven, terms.tolerance_seconds)
    if not any(standing.split_seconds for standing in standings.values()):
        return standings
    sides = _sides(sorted(now), proven, terms.tolerance_seconds)
    return {
        server: replace(standing, sides=sides) if standing.split_seconds else standing
        for server, standing in standings.items()
    }


def _is_any_late(reads: Reads, now: Newest, held: Mapping[str, CSN | None], sid: int) -> bool:
    """Return whether a newer position than that of a server was seen before its read began.

    Else no server lacks anything: what changes between the reads of a round proves nothing. A few
    newest reads of each server show that, where `_lacks` compares each pair of servers.
    """
    began = {server: read.seen_at_seconds - read.duration_seconds for server, read in now.items()}
    first = min(began.values())
    seen: list[tuple[MonotonicSeconds, CSN]] = []
    for server in now:
        for read in reversed(reads[server]):
            position = read.vector.get(sid)
            if position is not None:
                seen.append((read.seen_at_seconds, position))
            if read.seen_at_seconds < first:
                break
    seen.sort(key=itemgetter(0))
    newest: CSN | None = None
    place = 0
    for server, at in sorted(began.items(), key=itemgetter(1)):
        while place < len(seen) and seen[place][0] < at:
            if newest is None or seen[place][1] > newest:
                newest = seen[place][1]
            place += 1
        if _newer(newest, held[server]):
            return True
    return False


def _gaps(own: Vector, heads: Mapping[int, CSN]) -> dict[int, float]:
    return {
        sid: (head.time - own[sid].time).total_seconds()
        for sid, head in heads.items()
        if sid in own
    }


def _lacks(reads: Reads, now: Newest, held: Mapping[str, CSN | None], terms: Terms) -> Lacks:
    """Return for how long each server has lacked a position of one server ID of each peer."""
    holders = [(position, peer) for peer, position in held.items() if position is not None]
    holders.sort(reverse=True)
    sid = holders[0][0].sid
    since: dict[CSN | None, Mapping[str, MonotonicSeconds]] = {}
    found: dict[str, dict[str, float]] = {}
    for server, read in now.items():
        position = held[server]
        if position not in since:
            ahead = [peer for newer, peer in holders if _newer(newer, position)]
            since[position] = _held_since(reads, ahead, sid, position, terms.consumers)
        allowed = terms.allowed_seconds(server, reads[server])
        for peer, at in since[position].items():
            seconds = _lacked_seconds(reads[server], read, at, sid) - allowed
            if seconds > 0:
                found.setdefault(server, {})[peer] = seconds
    return found


def _held_since(
    reads: Reads,
    peers: Sequence[str],
    sid: int,
    position: CSN | None,
    consumers: Collection[str],
) -> dict[str, MonotonicSeconds]:
    """Return since when each peer is known to have held a newer position that counts."""
    since = {peer: _since(reads[peer], sid, position) for peer in peers}
    first = min((at for peer, at in since.items() if peer not in consumers), default=-inf)
    return {peer: max(at, first) for peer, at in since.items()}


def _since(reads: Reversible[VectorRead], sid: int, position: CSN | None) -> MonotonicSeconds:
    """Return since when a server is known to have held a newer position, without interruption."""
    since = inf
    for read in reversed(reads):
        if not _newer(read.vector.get(sid), position):
            break
        since = read.seen_at_seconds
    return since


def _lacked_seconds(
    own: Reversible[VectorRead], now: VectorRead, since: MonotonicSeconds, sid: int
) -> float:
    """Return for how long a server is proven to have lacked what a peer has held since then.

    If the server itself held it after that (it was restored from a backup, or restarted from an old
    checkpoint), the time counts from when it did so last.
    """
    position = now.vector.get(sid)
    began = now.seen_at_seconds - now.duration_seconds
    if since >= began:
        return 0.0
    for read in reversed(own):
        if read.seen_at_seconds <= since:
            break
        if _newer(read.vector.get(sid), position):
            since = read.seen_at_seconds
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


def _standing(
    server: str,
    proven: _Proven,
    now: Newest,
    terms: Terms,
) -> Standing:
    lacks, reference = proven.lacks, terms.reference
    match reference.mode:
        case ReferenceMode.MAJORITY:
            return _by_majority(server, proven, len(now), terms.tolerance_seconds)
        case ReferenceMode.NEWEST:
            own = {sid: of[server] for sid, of in lacks.items() if server in of}
            return Standing({sid: max(row.values()) for sid, row in own.items()})
        case ReferenceMode.SERVER:
            return Standing(
                _between(lacks, server, reference.server), _between(lacks, reference.server, server)
            )


def _between(lacks: Mapping[int, Lacks], server: str, peer: str) -> dict[int, float]:
    """Return for how long one server has lacked what another holds."""
    return _positive({sid: of.get(server, {}).get(peer, 0.0) for sid, of in lacks.items()})


def _by_majority(server: str, proven: _Proven, servers: int, tolerance_seconds: float) -> Standing:
    """Return the standing of a server compared with most of the servers.

    It is behind by the time for which more than half of the servers held what it lacks. Half of
    them suffice, unless such a peer lacks something of this server, too; that is a split.
    """
    most, half = servers // 2 + 1, (servers + 1) // 2
    behind: dict[int, float] = {}
    isolated: dict[int, float] = {}
    split: dict[int, float] = {}
    for sid, of in proven.lacks.items():
        isolated[sid] = _reached_by(proven.lacked[sid].get(server, ()), most)
        own = of.get(server)
        if not own:
            continue
        by_most, by_half = _reached_by(own.values(), most), _reached_by(own.values(), half)
        ahead = (peer for peer, seconds in own.items() if seconds > tolerance_seconds)
        theirs = max((proven.longest.get((peer, server), 0.0) for peer in ahead), default=0.0)
        is_mutual = theirs > tolerance_seconds
        behind[sid] = by_most if is_mutual else by_half
        if is_mutual and by_most <= tolerance_seconds:
            split[sid] = min(by_half, theirs)
    return Standing(_positive(behind), _positive(isolated), _positive(split))


def _reached_by(seconds: Collection[float], count: int) -> float:
    """Return the time that at least `count` of the times reach, 0 if there are fewer."""
    if count > len(seconds):
        return 0.0
    return sorted(seconds, reverse=True)[count - 1]


def _positive(seconds: Mapping[int, float]) -> dict[int, float]:
    return {sid: each for sid, each in seconds.items() if each > 0}


def _split_without_majority(
    standings: dict[str, Standing], tolerance_seconds: float
) -> dict[str, Standing]:
    """Turn standings into splits if more than half of the servers would be behind or isolated."""
    affected = {
        server
        for server, standing in standings.items()
        if max((*standing.behind_seconds.values(), *standing.isolated_seconds.values()), default=0)
        > tolerance_seconds
    }
    if 2 * len(affected) <= len(standings):
        return standings
    return {
        server: _as_split(standing) if server in affected else standing
        for server, standing in standings.items()
    }


def _with_all_in_split(
    standings: dict[str, Standing], proven: _Proven, tolerance_seconds: float
) -> dict[str, Standing]:
    """Turn isolated servers that lack nothing into a part of the split, if all others are in it.

    Or behind. Without such a server only those would remain that lack changes of each other.
    """
    whole = {
        server
        for server, standing in standings.items()
        if max(standing.isolated_seconds.values(), default=0.0) > tolerance_seconds
        and not any(
            seconds > tolerance_seconds
            for (lacking, _), seconds in proven.longest.items()
            if lacking == server
        )
    }
    others = [standing for server, standing in standings.items() if server not in whole]
    apart = [each for each in others if each.split_seconds]
    late = [
        each
        for each in others
        if max(each.behind_seconds.values(), default=0.0) > tolerance_seconds
        and not each.split_seconds
    ]
    if not whole or not apart or len(apart) + len(late) < len(others):
        return standings
    return {
        server: _as_split(standing) if server in whole else standing
        for server, standing in standings.items()
    }


def _sides(
    servers: Iterable[str], proven: _Proven, tolerance_seconds: float
) -> tuple[tuple[str, ...], ...]:
    """Return the servers by side: on one side none lacks anything of another for long."""
    apart: dict[str, set[str]] = {}
    for (server, peer), seconds in proven.longest.items():
        if seconds > tolerance_seconds:
            apart.setdefault(server, set()).add(peer)
            apart.setdefault(peer, set()).add(server)
    sides: list[tuple[list[str], set[str]]] = []  # the servers, and those that are not with them
    for server in servers:
        side = next((each for each in sides if server not in each[1]), None)
        if side is None:
            sides.append(side := ([], set()))
        side[0].append(server)
        side[1].update(apart.get(server, ()))
    return tuple(tuple(side) for side, _ in sides)


def _as_split(standing: Standing) -> Standing:
    kinds = standing.behind_seconds, standing.isolated_seconds, standing.split_seconds
    sids = {sid for times in kinds for sid in times}
    return Standing(
        split_seconds={sid: max(times.get(sid, 0.0) for times in kinds) for sid in sorted(sids)},
        csn_gap_seconds=standing.csn_gap_seconds,
    )
