"""The facts of the replication check, and the vectors in them.

The check judges the vectors, and tasks/csn_watch.py shows them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Reversible, Sequence

from msgspec import Struct, field

from ldaphealth.csn import (
    ATTRIBUTE,
    MAX_SHOWN,
    MOST_SERVER_IDS,
    CSNError,
    Vector,
    VectorRead,
    essential,
    parse_vector,
)
from ldaphealth.model import Observation


class Facts(Struct, frozen=True):
    """The values of contextCSN by naming context, and the time of day when they had been read.

    `observed_epoch_seconds` is that time in seconds since the epoch, by the clock of this host.
    `superiors` has the superior entry with contextCSN of a naming context that has none.
    `is_provider`: the server can be the provider of another; None if that was not read, because it
    shows contextCSN. `poll_interval_seconds`, by naming context: as in links.py.
    """

    context_csn: Mapping[str, tuple[str, ...]] = field(name=ATTRIBUTE)
    observed_epoch_seconds: float | None = None
    superiors: Mapping[str, str] = {}
    is_provider: bool | None = None
    poll_interval_seconds: Mapping[str, float | None] = {}


def bounded(values: Sequence[str]) -> tuple[str, ...]:
    """Return the values, cut just beyond the limits of the judge: many observations are kept."""
    return tuple(value[: MAX_SHOWN + 1] for value in values[: MOST_SERVER_IDS + 1])


def vector(facts: Facts, base: str) -> Vector:
    """Return the positions of one naming context; CSNError quotes a value that is not a CSN."""
    return parse_vector(facts.context_csn.get(base, ()))


def vector_read(seen: Observation[Facts], base: str) -> VectorRead | None:
    """Return the read of one observation, None if it failed or shows no CSN."""
    facts = seen.facts
    values = () if facts is None else facts.context_csn.get(base, ())
    if facts is None or not values:
        return None
    try:
        found = parse_vector(values)
    except CSNError:
        return None
    duration_seconds = seen.duration_seconds
    interval_seconds = facts.poll_interval_seconds.get(base, 0.0)
    return VectorRead(seen.started_at + duration_seconds, found, duration_seconds, interval_seconds)


def polled_every_seconds(seen: Sequence[Observation[Facts]], base: str) -> float:
    """Return the time between two polls, by the newest observation that shows it; 0 without."""
    shown = (
        each.facts.poll_interval_seconds.get(base, 0.0) for each in reversed(seen) if each.facts
    )
    return next((each for each in shown if each is not None), 0.0)


def vector_reads(seen: Iterable[Observation[Facts]], base: str) -> list[VectorRead]:
    """Return the reads of the observations that neither failed nor show no CSN, in their order."""
    found = (vector_read(each, base) for each in seen)
    return [each for each in found if each is not None]


class _LazyReads(Reversible[VectorRead]):
    """The reads of one server, parsed from the newest back when they are used; mostly few are.

    `newest` is the newest one, which is parsed already.
    """

    __slots__ = ("_base", "_left", "_parsed", "_seen")

    def __init__(self, seen: Sequence[Observation[Facts]], base: str, newest: VectorRead) -> None:
        self._seen, self._base = seen, base
        self._parsed = [newest]
        self._left = len(seen) - 1  # the observations before those that are parsed

    def __iter__(self) -> Iterator[VectorRead]:
        return reversed([*reversed(self)])

    def __reversed__(self) -> Iterator[VectorRead]:
        yield self._parsed[0]
        place = 1
        while place < len(self._parsed) or self._parse_next():
            yield self._parsed[place]
            place += 1

    def _parse_next(self) -> bool:
        while self._left:
            self._left -= 1
            found = vector_read(self._seen[self._left], self._base)
            if found is not None:
                self._parsed.append(found)
                return True
        return False


def reads_now(
    observations: Mapping[str, Sequence[Observation[Facts]]], base: str
) -> dict[str, Reversible[VectorRead]]:
    """Return the reads of the servers that can be read now."""
    latest = {
        server: found
        for server, seen in observations.items()
        if seen and (found := vector_read(seen[-1], base)) is not None
    }
    vectors = [each.vector for each in latest.values()]
    if all(each == vectors[0] for each in vectors):  # the usual case: no server lacks a change
        return {server: [each] for server, each in latest.items()}
    return {server: _LazyReads(observations[server], base, each) for server, each in latest.items()}


def reads_beside_bare(
    observations: Mapping[str, Sequence[Observation[Facts]]], base: str, bare: str
) -> dict[str, Reversible[VectorRead]]:
    """Return the reads of all servers, if one shows no CSN and every other one does; else none.

    Those of the server `bare` are empty, and begin with the first one since it showed a CSN.
    """
    others = {server: seen for server, seen in observations.items() if server != bare}
    latest = {
        server: vector_read(seen[-1], base)
        for server, seen in others.items()
        if seen and seen[-1].facts is not None
    }
    shown: dict[str, Reversible[VectorRead]] = {
        server: _LazyReads(others[server], base, read)
        for server, read in latest.items()
        if read is not None
    }
    if not shown or len(shown) < len(latest):
        return {}
    since: list[VectorRead] = []
    for each in reversed(observations[bare]):
        if each.facts is not None and _values(each, base):
            break
        if each.facts is not None:
            since.append(VectorRead(each.ended_at, {}, each.duration_seconds))
    return {**shown, bare: since[::-1]} if since else {}


def own_reads(seen: Sequence[Observation[Facts]], base: str) -> list[VectorRead]:
    """Return the reads of one server; only the newest if all show the same."""
    latest = _values(seen[-1], base)
    same = all(_values(each, base) == latest for each in seen)
    return vector_reads(seen[-1:] if same else seen, base)


def _values(seen: Observation[Facts], base: str) -> Sequence[str]:
    """Return the values of one naming context, none if the observation failed."""
    return () if seen.facts is None else seen.facts.context_csn.get(base, ())


def grew(earlier: Facts, later: Facts) -> bool:
    """Return whether the later facts hold all positions of the earlier ones, or newer ones."""
    before, after = earlier.context_csn, later.context_csn
    if before == after:
        return True
    return before.keys() == after.keys() and all(_grew(earlier, later, base) for base in before)


def _grew(earlier: Facts, later: Facts, base: str) -> bool:
    try:
        before, after = vector(earlier, base), vector(later, base)
    except CSNError:
        return False
    return all(sid in after and after[sid] >= position for sid, position in before.items())


def select_kept(
    observations: Mapping[str, Sequence[Observation[Facts]]],
) -> dict[str, list[Observation[Facts]]]:
    """Return the reads that later ones are compared with.

    Positions never decrease while a database lives, so old reads remain true without new ones.
    """
    kept: dict[str, set[int]] = {server: set() for server in observations}
    for base in {base for seen in observations.values() for base in _bases(seen)}:
        reads = {
            server: [(n, read) for n, each in enumerate(seen) if (read := vector_read(each, base))]
            for server, seen in observations.items()
        }
        needed = essential({server: [each for _, each in of] for server, of in reads.items()})
        for server, few in needed.items():
            wanted = {id(each) for each in few}
            kept[server] |= {n for n, each in reads[server] if id(each) in wanted}
    return {
        server: [observations[server][n] for n in sorted(places)] for server, places in kept.items()
    }


def _bases(seen: Sequence[Observation[Facts]]) -> Iterable[str]:
    """Return the naming contexts that the newest successful observation shows."""
    for each in reversed(seen):
        if each.facts is not None:
            return each.facts.context_csn
    return ()
