"""The continuous comparison: pass after pass over the whole tree. Pure.

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
    is_within,
    narrowed_to,
    recheck,
)
from ldaphealth.content.progress import ComparisonProgress
from ldaphealth.content.slices import Cursor

MOST_KNOWN = 1000
RECHECK_ENTRIES = 100  # known differences that are read again in one survey


class ContinuousComparison(Struct, frozen=True, kw_only=True):
    """Its cursor, when the pass began (monotonic seconds), and the known differences.

    A difference is known until a recheck of its entry, or the next comparison of its slice, shows
    that it is gone. `entries` counts those read in this pass, by server ID. `unreadable` is that of
    the progress in this pass.
    """

    cursor: Cursor
    began_at: MonotonicSeconds
    passes: int = 0
    entries: Mapping[str, int] = {}
    known: tuple[Difference, ...] = ()
    unreadable: Mapping[str, tuple[str, ...]] = {}

    def is_due(self, cursor: Cursor, now: MonotonicSeconds, cover_seconds: float) -> bool:
        """Return whether the pass should be past the cursor by now."""
        return cursor.part * cover_seconds <= now - self.began_at and not cursor.is_done

    def at(self, now: MonotonicSeconds, cover_seconds: float) -> ContinuousComparison:
        """Return itself, or the start of the next pass when it is due."""
        if not self.cursor.is_done or now - self.began_at < cover_seconds:
            return self
        return ContinuousComparison(
            cursor=Cursor(self.cursor.wanted),
            began_at=now,
            passes=self.passes + 1,
            known=self.known,
        )

    def among(self, servers: Collection[str]) -> ContinuousComparison:
        """Return it with the differences among these servers; a reload may have removed others."""
        narrowed = (narrowed_to(each, servers) for each in self.known)
        return replace(self, known=tuple(each for each in narrowed if each is not None))

    def after(
        self, progress: ComparisonProgress, compared: Collection[str]
    ) -> ContinuousComparison:
        """Return it with the results of a comparison of these servers from its cursor on."""
        low, high = self.cursor.low, progress.cursor.low - 1
        again = {each.dn for each in progress.differences}
        kept = [
            each
            for each in self.known
            if not is_within(each, low, high) or _remains(each, again, {*compared})
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
            unreadable=progress.unreadable,
        )

    def to_recheck(self) -> tuple[Difference, ...]:
        """Return the known differences whose last recheck is the oldest."""
        return self.known[:RECHECK_ENTRIES]

    def rechecked(self, now: Mapping[str, Mapping[str, EntryVersion]]) -> ContinuousComparison:
        """Return it without those that are gone by these versions; the others move to the end."""
        read, rest = self.known[:RECHECK_ENTRIES], self.known[RECHECK_ENTRIES:]
        result = recheck({each.dn: each.all_versions for each in read}, now)
        there = {each.dn for each in result.different} | result.moving.keys()
        left = [each for each in read if each.dn in there or not _can_clear(now.keys(), each)]
        return replace(self, known=(*rest, *left))


def _remains(known: Difference, again: Collection[str], compared: AbstractSet[str]) -> bool:
    """Return whether a difference remains as it is after a comparison of its slice.

    If it was found again by only some of its servers it remains: the older one has more servers.
    """
    if known.dn in again:
        return not known.servers <= compared
    return not _can_clear(compared, known)


def _can_clear(servers: AbstractSet[str], difference: Difference) -> bool:
    """Return whether these servers suffice to show that the difference is gone.

    All of its servers do, and so do those that are odd.
    """
    return difference.servers <= servers or (bool(difference.odd) and difference.odd <= servers)
