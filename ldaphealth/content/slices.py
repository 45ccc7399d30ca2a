"""Ranges of entryUUIDs, so chosen that each holds about as many entries as wanted: pure.

A paged search cannot be resumed on another connection, because slapd binds its cookie to the one
that it gave it to (RFC 2696 leaves it free to). A range can: it is a filter like any other, for
which slapd reads no index but needs only a twelfth of the time that sending the entries takes.
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
    """How far the tree has been compared, and how wide the next slice is.

    `wanted` is how many entries a slice should have; a server with a size limit lowers it.
    """

    wanted: int
    low: int = 0
    width: int = FIRST_WIDTH

    @property
    def is_done(self) -> bool:
        """Tell whether all of it has been compared."""
        return self.low >= END

    @property
    def part(self) -> float:
        """Return the part of all possible entryUUIDs that lies behind, 0 to 1."""
        return self.low / END

    @property
    def slice(self) -> Slice:
        """Return the next slice."""
        return Slice(self.low, min(self.low + self.width, END) - 1)

    def after(self, seen: int) -> Cursor:
        """Return the cursor behind the slice, which had so many entries."""
        growth = min(self.wanted / seen, MOST_GROWTH) if seen else MOST_GROWTH
        return Cursor(self.wanted, self.slice.high + 1, min(max(1, int(self.width * growth)), END))

    def narrower(self, sample: Sequence[int]) -> Cursor:
        """Return the cursor for the same place where a server has more than it could be asked for.

        `sample` is what it sent. Entries may crowd in a few ranges (those loaded in one go have
        entryUUIDs alike), so the middle of the sample is a better guess than half of the width; but
        half it is at most, so that a server that lies ends this soon. ValueError when it lies.
        """
        if self.width == 1:
            raise ValueError("more entries than one have the same entryUUID")
        middle = sorted(sample)[(len(sample) - 1) // 2] - self.low + 1 if sample else self.width
        wanted = min(self.wanted, max(1, len(sample) // 2))
        return Cursor(wanted, self.low, max(1, min(middle, self.width // 2)))
