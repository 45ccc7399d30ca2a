"""What one read of contextCSN says: from the facts that the replication check keeps to vectors.

The check judges by it, and `csn_watch.py` shows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Reversible, Sequence

from ldaphealth.csn import ATTRIBUTE, CSNError, Vector, VectorRead, essential, parse_vector
from ldaphealth.model import Observation


def _values(facts: Mapping[str, object], base: str) -> object:
    """Return what was read of one naming context; nothing where it was not asked for."""
    by_base = facts.get(ATTRIBUTE)
    return by_base.get(base, ()) if isinstance(by_base, Mapping) else ()


def _parsed(values: object) -> Vector:
    return parse_vector(map(str, values)) if isinstance(values, (tuple, list)) else {}


def vector(seen: Observation, base: str) -> Vector:
    """Return the positions; CSNError quotes a value that is no CSN."""
    return _parsed(_values(seen.facts, base))


def sighting(seen: Observation, base: str) -> VectorRead | None:
    """Return a read as far as it is one: not a failure, nothing, or what is no CSN."""
    try:
        found = vector(seen, base)
    except CSNError:
        return None
    return VectorRead(seen.ended_at, found, seen.duration_seconds) if found else None


def sightings(seen: Iterable[Observation], base: str) -> list[VectorRead]:
    """Return the reads that are any, in their order."""
    found = (sighting(each, base) for each in seen)
    return [each for each in found if each is not None]


class _Backwards(Reversible[VectorRead]):
    """The reads of one server from the newest back; mostly nobody asks for more than a few."""

    __slots__ = ("_known", "_rest")

    def __init__(self, seen: Sequence[Observation], base: str) -> None:
        self._known: list[VectorRead] = []
        found = (sighting(each, base) for each in reversed(seen))
        self._rest = (each for each in found if each is not None)

    def __iter__(self) -> Iterator[VectorRead]:
        return reversed([*reversed(self)])

    def __reversed__(self) -> Iterator[VectorRead]:
        place = 0
        while place < len(self._known) or self._one_more():
            yield self._known[place]
            place += 1

    def _one_more(self) -> bool:
        found = next(self._rest, None)
        if found is not None:
            self._known.append(found)
        return found is not None


def reads_now(
    observations: Mapping[str, Sequence[Observation]], base: str
) -> dict[str, Reversible[VectorRead]]:
    """Return the reads of the servers that can be read now; another has no say any more."""
    latest = {
        server: found
        for server, seen in observations.items()
        if seen and (found := sighting(seen[-1], base)) is not None
    }
    vectors = [each.vector for each in latest.values()]
    if all(each == vectors[0] for each in vectors):  # then nobody lacks anything, and mostly so
        return {server: [each] for server, each in latest.items()}
    return {server: _Backwards(observations[server], base) for server in latest}


def own_reads(seen: Sequence[Observation], base: str) -> list[VectorRead]:
    """Return the reads of one server; the newest alone while they all show the same."""
    latest = _values(seen[-1].facts, base)
    same = all(_values(each.facts, base) == latest for each in seen)
    return sightings(seen[-1:] if same else seen, base)


def grew(earlier: Mapping[str, object], later: Mapping[str, object]) -> bool:
    """Tell whether the later read has all that the earlier one had, of the same contexts."""
    before, after = earlier.get(ATTRIBUTE), later.get(ATTRIBUTE)
    if before == after:
        return True
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        return False
    return before.keys() == after.keys() and all(_grew(earlier, later, base) for base in before)


def _grew(earlier: Mapping[str, object], later: Mapping[str, object], base: str) -> bool:
    try:
        before, after = _parsed(_values(earlier, base)), _parsed(_values(later, base))
    except CSNError:
        return False
    return all(sid in after and after[sid] >= position for sid, position in before.items())


def select_kept(
    observations: Mapping[str, Sequence[Observation]],
) -> dict[str, list[Observation]]:
    """Return the reads that later ones are compared with.

    Positions only ever grow while a database lives, so they stay true while nobody looks.
    """
    kept: dict[str, set[int]] = {server: set() for server in observations}
    for base in {base for seen in observations.values() for base in _bases(seen)}:
        reads = {
            server: [(n, found) for n, each in enumerate(seen) if (found := sighting(each, base))]
            for server, seen in observations.items()
        }
        needed = essential({server: [each for _, each in of] for server, of in reads.items()})
        for server, few in needed.items():
            wanted = {id(each) for each in few}
            kept[server] |= {n for n, each in reads[server] if id(each) in wanted}
    return {
        server: [observations[server][n] for n in sorted(places)] for server, places in kept.items()
    }


def _bases(seen: Sequence[Observation]) -> Iterable[str]:
    """Return the naming contexts that the newest read shows; a failed one shows none."""
    for each in reversed(seen):
        by_base = each.facts.get(ATTRIBUTE)
        if isinstance(by_base, Mapping):
            return map(str, by_base)
    return ()
