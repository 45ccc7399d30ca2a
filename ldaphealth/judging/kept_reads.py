"""The observations of one server and check that are remembered, and which of them are dropped.

recent_observations.py has those of all servers and checks of a cluster; retention.py the limits.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from msgspec import Struct
from msgspec.structs import replace

from ldaphealth.clocks import MonotonicSeconds
from ldaphealth.judging.retention import Covers, Merged, Retention
from ldaphealth.judging.shared_facts import sharing
from ldaphealth.model import NO_TIMES, AnyObservation

LARGEST_GAP = 0.25  # between two older reads, as a part of their age


class KeptReads(Struct, frozen=True):
    """The observations of one server and check: `reads`, of which the first `older` are older."""

    reads: Sequence[AnyObservation]
    older: int


class GrowingReads:
    """The same while the agent runs.

    `is_growing`: each one with facts covers the one with facts before it; None: that is not known.
    """

    __slots__ = ("is_growing", "older", "reads")

    def __init__(self, reads: Sequence[AnyObservation] = (), older: int = 0) -> None:
        self.reads: list[AnyObservation] = [*reads]
        self.older = older
        self.is_growing: bool | None = None

    def grows(self, covers: Covers) -> bool:
        """Return whether each one with facts covers the one with facts before it."""
        if self.is_growing is None:
            found = [each for each in self.reads if each.facts is not None]
            self.is_growing = all(_covers(covers, *pair) for pair in pairwise(found))
        return self.is_growing

    def add(self, seen: AnyObservation, retention: Retention) -> AnyObservation:
        """Add the newest observation, and drop those beyond the limits.

        Return it as it is kept: facts that are as before are the same object.
        """
        if retention.covers is not None:
            self._note_next(retention.covers, seen)
        if not self.reads:
            self.reads.append(seen)
            return seen
        before = self.reads[-1]
        kept = sharing(seen, before)
        self.reads.append(kept)
        if before.timings and not retention.older_times:
            self.reads[-2] = replace(before, timings=NO_TIMES)
        while len(self.reads) - self.older > retention.newest:
            self._age(retention)
        return kept

    def _note_next(self, covers: Covers, seen: AnyObservation) -> None:
        """Note an observation that is to follow."""
        if not self.is_growing or seen.facts is None:
            return
        before = next((each for each in reversed(self.reads) if each.facts is not None), None)
        self.is_growing = before is None or _covers(covers, before, seen)

    def _age(self, retention: Retention) -> None:
        """Move the oldest of the newest observations to the older ones, or drop it."""
        self.is_growing = self.is_growing or None  # what did not grow may be dropped
        reads, at = self.reads, self.older
        if reads[at].facts is None:
            del reads[at]
        elif retention.covers is not None:
            self._age_covered(retention.covers, retention.older)
        elif retention.merged is not None:
            self._age_merged(retention.merged, retention.older)
        else:
            del reads[at]

    def _age_covered(self, covers: Covers, most: int) -> None:
        reads, at = self.reads, self.older
        if at > 1 and _is_run(covers, reads[at - 2 : at + 1]):
            del reads[at - 1]  # of a run of equal ones the first and the last suffice
            return
        self.older += 1
        if self.older > most:
            thin = _thinned(covers, reads[: self.older], reads[-1].started_at)
            del thin[: -most * 3 // 4]  # if too few could be dropped
            reads[: self.older] = thin
            self.older = len(thin)

    def _age_merged(self, merged: Merged, most: int) -> None:
        reads, at = self.reads, self.older
        facts = merged(reads[at - 1].facts, reads[at].facts) if at else None
        if facts is not None:
            if facts is not reads[at - 1].facts:
                reads[at - 1] = replace(reads[at], facts=facts)
            del reads[at]
            return
        self.older += 1
        if self.older > most:
            del reads[0]
            self.older -= 1


def _is_run(covers: Covers, reads: Sequence[AnyObservation]) -> bool:
    return all(
        _covers(covers, one, other) and _covers(covers, other, one)
        for one, other in pairwise(reads)
    )


def _covers(covers: Covers, earlier: AnyObservation, later: AnyObservation) -> bool:
    """Return whether the later observation covers the earlier one, and neither failed."""
    if earlier.facts is None or later.facts is None:
        return False
    return covers(earlier.facts, later.facts)


def _thinned(
    covers: Covers, reads: Sequence[AnyObservation], now: MonotonicSeconds
) -> list[AnyObservation]:
    """Drop covered observations, as long as the gap is a small part of their age."""
    kept = [reads[0]]
    for each, after in pairwise(reads[1:]):
        gap, age = after.started_at - kept[-1].started_at, now - after.started_at
        small = gap <= LARGEST_GAP * age
        if not (small and _covers(covers, kept[-1], each) and _covers(covers, each, after)):
            kept.append(each)
    return [*kept, reads[-1]]
