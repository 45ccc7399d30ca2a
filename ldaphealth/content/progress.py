"""The progress of a comparison and its results, from which it can continue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from msgspec import Struct, field

from ldaphealth.content.difference import Difference
from ldaphealth.content.slices import Cursor


class ComparisonProgress(Struct, kw_only=True):
    """The results so far. `different` counts all differences, `differences` has the first `most`.

    `unsettled` counts entries that changed before every recheck: nothing is known of them. By
    server ID, `entries` counts those that were read, `lacking` those that only others have, and
    `not_compared` has the reason why a server is left out; results from before that count. If
    values are compared, `attributes` are those that were shown. `unreadable` are attributes that
    some servers, by ID, do not let the account read, while others do: they are not compared.
    """

    cursor: Cursor
    most: int = 1000
    entries: dict[str, int] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)
    different: int = 0
    unsettled: int = 0
    lacking: dict[str, int] = field(default_factory=dict)
    not_compared: dict[str, str] = field(default_factory=dict)
    attributes: set[str] = field(default_factory=set)
    unreadable: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def add_entries(self, counts: Mapping[str, int]) -> None:
        """Count the entries of a slice."""
        self.entries = dict(Counter(self.entries) + Counter(counts))

    def add_differences(self, found: Iterable[Difference]) -> None:
        """Count differences, and keep the first `most` of them."""
        for each in found:
            self.different += 1
            if len(self.differences) < self.most:
                self.differences.append(each)
            for server in each.missing:
                self.lacking[server] = self.lacking.get(server, 0) + 1
