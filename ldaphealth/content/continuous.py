"""A comparison that never ends: slowly over the whole tree, and over it again. Pure.

The check `content` keeps one from survey to survey.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet

from msgspec import Struct
from msgspec.structs import replace

from ldaphealth.clocks import MonotonicSeconds
from ldaphealth.content.difference import (
    Difference,
    EntryVersion,
    belongs,
    narrowed_to,
    second_look,
)
from ldaphealth.content.progress import ComparisonProgress
from ldaphealth.content.slices import Cursor

MOST_KNOWN = 1000
LOOKED_AT = 100  # known ones that are read again in one survey


class ContinuousComparison(Struct, frozen=True):
    """Where it is, since when (monotonic seconds), and the differences that are known.

    A difference is known from when it is found until a look shows that it is gone, be it a look at
    it alone or the next one at its slice. `entries` are those of this pass, by server ID.
    """

    cursor: Cursor
    began_at: MonotonicSeconds
    passes: int = 0
    entries: Mapping[str, int] = {}
    known: tuple[Difference, ...] = ()

    def is_due(self, cursor: Cursor, now: MonotonicSeconds, cover_seconds: float) -> bool:
        """Tell whether more of the tree than lies before the cursor should be done by now."""
        return cursor.part * cover_seconds <= now - self.began_at and not cursor.is_done

    def at(self, now: MonotonicSeconds, cover_seconds: float) -> ContinuousComparison:
        """Return the same, or the beginning of the next pass when its time has come."""
        if not self.cursor.is_done or now - self.began_at < cover_seconds:
            return self
        return ContinuousComparison(
            Cursor(self.cursor.wanted), now, self.passes + 1, {}, self.known
        )

    def among(self, servers: Collection[str]) -> ContinuousComparison:
        """Return it with what is known of these servers alone; a reload took the others away."""
        narrowed = (narrowed_to(each, servers) for each in self.known)
        return replace(self, known=tuple(each for each in narrowed if each is not None))

    def after(
        self, progress: ComparisonProgress, compared: Collection[str]
    ) -> ContinuousComparison:
        """Return it with what a comparison of these servers from here on has found."""
        low, high = self.cursor.low, progress.cursor.low - 1
        again = {each.dn for each in progress.differences}
        kept = [
            each
            for each in self.known
            if not belongs(each, low, high) or _outlasts(each, again, {*compared})
        ]
        dns = {each.dn for each in kept}
        found = [each for each in progress.differences if each.dn not in dns]
        entries = {
            server: self.entries.get(server, 0) + count
            for server, count in progress.entries.items()
        }
        return replace(
            self,
            cursor=progress.cursor,
            entries={**self.entries, **entries},
            known=(*kept, *found)[:MOST_KNOWN],
        )

    def to_look_at(self) -> tuple[Difference, ...]:
        """Return the known ones that were not read again for longest."""
        return self.known[:LOOKED_AT]

    def looked(self, now: Mapping[str, Mapping[str, EntryVersion]]) -> ContinuousComparison:
        """Return it without those that are gone by what the servers show; the others go last."""
        looked, rest = self.known[:LOOKED_AT], self.known[LOOKED_AT:]
        before = {each.dn: each.all_versions for each in looked}
        outcome = second_look(before, now)
        there = {each.dn for each in outcome.different} | outcome.moving.keys()
        left = [each for each in looked if each.dn in there or not _is_told_by(each, now.keys())]
        return replace(self, known=(*rest, *left))


def _outlasts(known: Difference, again: Collection[str], compared: AbstractSet[str]) -> bool:
    """Tell whether a difference stays known although its slice was compared by these servers.

    Found again by some of them it stays as it was: more servers know better who is odd.
    """
    if known.dn in again:
        return not known.servers <= compared
    return not _is_told_by(known, compared)


def _is_told_by(difference: Difference, servers: AbstractSet[str]) -> bool:
    """Tell whether these servers alone can show that it is gone.

    All that took part can, and so can those that are odd beside any other, whoever else is down.
    """
    return difference.servers <= servers or (bool(difference.odd) and difference.odd <= servers)
