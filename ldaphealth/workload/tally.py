"""What was counted of one shape while a log is read."""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct, field

from ldaphealth.histogram import bucket_of

LARGEST_COUNT = 1 << 20  # of entries; more are counted here
MOST_VALUES = 50  # of one attribute, if values are kept
LONGEST_VALUE = 512  # bytes


class ShapeKey(NamedTuple):
    """What operations of one shape have in common, as templates."""

    operation: str  # search or compare
    base: str
    scope: int
    deref: int
    filter: bytes  # of a compare: the attribute
    attributes: tuple[bytes, ...]
    controls: tuple[str, ...]


class Tally(Struct, kw_only=True):
    """Operations of one shape: how many, with which results, entries and times.

    `times` are counted in the buckets of `histogram.py`, as far as the log has them, `entries`
    below upper bounds: 0, 1, 2, 4, 8 and so on.
    """

    count: int = 0
    results: dict[int, int] = field(default_factory=dict)
    entries: dict[int, int] = field(default_factory=dict)
    times: dict[int, int] = field(default_factory=dict)
    values: dict[bytes, dict[bytes, int]] = field(default_factory=dict)

    def add(self, code: int, entries: int, seconds: float | None) -> None:
        """Count one operation."""
        self.count += 1
        self.results[code] = self.results.get(code, 0) + 1
        bound = entries_bound(entries)
        self.entries[bound] = self.entries.get(bound, 0) + 1
        if seconds is not None:
            bucket = bucket_of(seconds)
            self.times[bucket] = self.times.get(bucket, 0) + 1

    def merge(self, other: Tally) -> None:
        """Add the counts of another one."""
        self.count += other.count
        for own, others in (
            (self.results, other.results),
            (self.entries, other.entries),
            (self.times, other.times),
        ):
            for number, count in others.items():
                own[number] = own.get(number, 0) + count
        for attribute, values in other.values.items():
            for value, count in values.items():
                self.add_value(attribute, value, count)

    def add_value(self, attribute: bytes, value: bytes, count: int = 1) -> None:
        """Count a value of a client, of the first ones that were seen, unless it is long."""
        if len(value) > LONGEST_VALUE:
            return
        known = self.values.setdefault(attribute, {})
        if value in known or len(known) < MOST_VALUES:
            known[value] = known.get(value, 0) + count


def entries_bound(entries: int) -> int:
    """Return the least upper bound of a number of entries: 0 or a power of two."""
    return min(1 << (entries - 1).bit_length(), LARGEST_COUNT) if entries else 0
