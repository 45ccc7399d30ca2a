"""How far a comparison has come and what it found: all that is needed to go on from there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from msgspec import Struct, field

from ldaphealth.content.difference import Difference
from ldaphealth.content.slices import Cursor


class ComparisonProgress(Struct, kw_only=True):
    """What was seen so far. `different` counts all differences, `differences` keeps the first.

    `unsettled` counts entries that changed with every look: nothing is known of them. `lacking`
    counts, by server ID, the entries that others have; `entries` those that were read.
    `not_compared` says of servers why not; what was compared before that counts.
    """

    cursor: Cursor
    most: int = 1000
    entries: dict[str, int] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)
    different: int = 0
    unsettled: int = 0
    lacking: dict[str, int] = field(default_factory=dict)
    not_compared: dict[str, str] = field(default_factory=dict)

    def add_entries(self, counts: Mapping[str, int]) -> None:
        """Count the entries of a slice."""
        self.entries = dict(Counter(self.entries) + Counter(counts))

    def add_differences(self, found: Iterable[Difference]) -> None:
        """Count differences, and keep those for which there is room."""
        for each in found:
            self.different += 1
            if len(self.differences) < self.most:
                self.differences.append(each)
            for server in each.missing:
                self.lacking[server] = self.lacking.get(server, 0) + 1
