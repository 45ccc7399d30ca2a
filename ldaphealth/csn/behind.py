"""Who is behind, who is isolated, and where a cluster is split: pure, from vectors and times.

The replication check calls `assess`. A server is late only by what was proven: a read of it,
completed after a newer position had been seen elsewhere, still lacked that position. So nothing
here needs synchronised clocks, and an idle cluster never looks late.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from ldaphealth.csn.value import CSN
from ldaphealth.csn.vector import Vector


@dataclass(frozen=True, slots=True)
class Sighting:
    """One read of one server's vector; monotonic seconds when the read was complete."""

    seen_at_seconds: float
    vector: Vector


@dataclass(slots=True)
class Standing:
    """How one server stands among the others; each time by server ID, nothing where all is well.

    `behind_seconds`: most others have what it lacks. `isolated_seconds`: it has what most others
    proved to lack. `split_seconds`: as many lack as have, and both sides lack something.
    `csn_gap_seconds`: newest CSN minus its own; the gap between two writes, and no lateness.
    """

    behind_seconds: dict[int, float] = field(default_factory=dict)
    isolated_seconds: dict[int, float] = field(default_factory=dict)
    split_seconds: dict[int, float] = field(default_factory=dict)
    csn_gap_seconds: dict[int, float] = field(default_factory=dict)


class Blame(Enum):
    """Whose trouble a missing position is."""

    LACKING = "lacking"
    HOLDING = "holding"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class _Late:
    """One server that was proven to lack a position for some time."""

    server: str
    sid: int
    position: CSN
    seconds: float


Reads = Mapping[str, Sequence[Sighting]]


def assess(reads: Reads, retired: frozenset[int] = frozenset()) -> dict[str, Standing]:
    """Return the standing of every server with at least one read (oldest first)."""
    seen = {server: sightings for server, sightings in reads.items() if sightings}
    standings = {server: Standing(csn_gap_seconds=_gaps(server, seen, retired)) for server in seen}
    late = [proof for server in seen for proof in _proofs(server, seen, retired)]
    for proof in late:
        holding, lacking = _camps(proof, seen)
        blame = _blame(holding, lacking, {(each.server, each.sid) for each in late}, seen)
        if blame is Blame.LACKING:
            standings[proof.server].behind_seconds[proof.sid] = proof.seconds
        elif blame is Blame.BOTH:
            for server in (proof.server, *holding):
                _raise(standings[server].split_seconds, proof)
        else:
            for server in holding:
                _raise(standings[server].isolated_seconds, proof)
    return standings


def _raise(times: dict[int, float], proof: _Late) -> None:
    times[proof.sid] = max(times.get(proof.sid, 0.0), proof.seconds)


def _proofs(server: str, seen: Reads, retired: frozenset[int]) -> Iterator[_Late]:
    """Find, for each server ID, the position that this server has lacked for longest."""
    mine = seen[server][-1]
    first: dict[int, tuple[float, CSN]] = {}
    for sightings in seen.values():
        for sighting in sightings:
            if sighting.seen_at_seconds >= mine.seen_at_seconds:
                continue
            for sid, position in sighting.vector.items():
                own = mine.vector.get(sid)
                if sid in retired or (own is not None and own >= position):
                    continue
                found = (sighting.seen_at_seconds, position)
                first[sid] = min(first.get(sid, found), found)
    for sid, (since, position) in first.items():
        yield _Late(server, sid, position, mine.seen_at_seconds - since)


def _camps(proof: _Late, seen: Reads) -> tuple[set[str], set[str]]:
    """Return who holds the position and who is proven to lack it; the rest has no say."""
    first_seen = min(
        sighting.seen_at_seconds
        for sightings in seen.values()
        for sighting in sightings
        if _holds(sighting, proof)
    )
    holding = {server for server, sightings in seen.items() if _holds(sightings[-1], proof)}
    lacking = {
        server
        for server, sightings in seen.items()
        if server not in holding and sightings[-1].seen_at_seconds > first_seen
    }
    return holding, lacking


def _holds(sighting: Sighting, proof: _Late) -> bool:
    own = sighting.vector.get(proof.sid)
    return own is not None and own >= proof.position


def _blame(holding: set[str], lacking: set[str], late: set[tuple[str, int]], seen: Reads) -> Blame:
    if len(lacking) < len(holding):
        return Blame.LACKING
    if len(lacking) > len(holding):
        return Blame.HOLDING
    heads = [seen[server][-1].vector for server in lacking]
    both = any(
        (server, sid) in late
        for server in holding
        for sid in {sid for head in heads for sid in head}
    )
    return Blame.BOTH if both else Blame.LACKING


def _gaps(server: str, seen: Reads, retired: frozenset[int]) -> dict[int, float]:
    mine = seen[server][-1].vector
    heads: dict[int, CSN] = {}
    for sightings in seen.values():
        for sid, position in sightings[-1].vector.items():
            heads[sid] = max(heads.get(sid, position), position)
    return {
        sid: (heads[sid].time - mine[sid].time).total_seconds()
        for sid in mine
        if sid not in retired
    }
