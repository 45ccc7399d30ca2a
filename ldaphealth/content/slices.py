"""Ranges of entryUUIDs, chosen so that each has about as many entries as wanted. Pure.

A paged search cannot continue on another connection, because slapd binds the cookie to its
connection (RFC 2696 permits that). A range of entryUUIDs can. It is an ordinary filter; slapd uses
no index for it, but needs only a twelfth of the time that sending the entries takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from msgspec import Struct

END = 1 << 128  # an entryUUID is a number of 128 bits, ordered as such (RFC 4530 2.3)
FIRST_WIDTH = END >> 8
MOST_GROWTH = 16


class Slice(Struct, frozen=True):
    """The entryUUIDs from `low` to `high`, both included."""

    low: int
    high: int

    @property
    def filter_text(self) -> str:
        """Return the filter for its entries (RFC 4515)."""
        return f"(&(entryUUID>={UUID(int=self.low)})(entryUUID<={UUID(int=self.high)}))"


class Cursor(Struct, frozen=True):
    """How far the tree has been compared, and the width of the next slice.

    `wanted` is the number of entries that a slice should have; a server's size limit lowers it.
    """

    wanted: int
    low: int = 0
    width: int = FIRST_WIDTH

    @property
    def is_done(self) -> bool:
        """Return whether the whole tree has been compared."""
        return self.low >= END

    @property
    def part(self) -> float:
        """Return the part of all possible entryUUIDs that has been compared, 0 to 1."""
        return self.low / END

    @property
    def slice(self) -> Slice:
        """Return the next slice."""
        return Slice(self.low, min(self.low + self.width, END) - 1)

    def after(self, seen: int) -> Cursor:
        """Return the cursor after the slice, which had `seen` entries."""
        growth = min(self.wanted / seen, MOST_GROWTH) if seen else MOST_GROWTH
        return Cursor(self.wanted, self.slice.high + 1, min(max(1, int(self.width * growth)), END))

    def narrower(self, sample: Sequence[int]) -> Cursor:
        """Return a narrower cursor at the same place, for a server with too many entries.

        `sample` is what it sent. The entryUUIDs of entries that were loaded together are close to
        each other, so the middle of the sample is a better guess than half of the width. It is half
        at most, so that this ends soon even if a server sends wrong entries. ValueError if it does.
        """
        if self.width == 1:
            raise ValueError("several entries have the same entryUUID")
        middle = sorted(sample)[(len(sample) - 1) // 2] - self.low + 1 if sample else self.width
        wanted = min(self.wanted, max(1, len(sample) // 2))
        return Cursor(wanted, self.low, max(1, min(middle, self.width // 2)))
