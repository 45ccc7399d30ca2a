"""The bounds of the journal on disk: the oldest segments go first."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from math import inf
from pathlib import Path

from ldaphealth.clocks import DAY_SECONDS, EpochSeconds
from ldaphealth.store.journal_files import Segment, segments_by_cluster

LONGEST_SECONDS = 7200.0  # that one segment counts; the time of day may have been set in it


def too_old(found: Iterable[Segment], keep_days: int) -> Iterator[Segment]:
    """Yield the segments after which the agent ran for so many days, whatever the time of day is.

    So a time of day that is wrong for a moment deletes nothing, and what several clusters have of
    the same time counts once.
    """
    later, next_began = 0.0, inf
    for each in sorted(found, key=lambda each: each.began, reverse=True):
        if later >= keep_days * DAY_SECONDS:
            yield each
        ended = each.began + min(each.seconds, LONGEST_SECONDS)
        later += max(0.0, min(ended, next_began) - each.began)
        next_began = each.began


def beyond(found: Sequence[Segment], max_bytes: int, open_now: Collection[Path]) -> list[Segment]:
    """Return the oldest segments, without which the rest has at most so many bytes."""
    excess = sum(each.bytes for each in found) - max_bytes
    removed: list[Segment] = []
    for each in sorted(found, key=lambda each: each.began):
        if excess <= 0:
            break
        if each.path not in open_now:
            excess -= each.bytes
            removed.append(each)
    return removed


def delete_excess(
    directory: Path, *, keep_days: int, max_bytes: int, open_now: Collection[Path] = ()
) -> tuple[list[Segment], EpochSeconds]:
    """Delete what is older or more than that; OSError.

    Return what `max_bytes` deleted, and when the oldest segment begins that is left, 0 without one.
    """
    found = [each for of in segments_by_cluster(directory).values() for each in of]
    gone = {each.path for each in too_old(found, keep_days)} - {*open_now}
    left = [each for each in found if each.path not in gone]
    excess = beyond(left, max_bytes, open_now)
    for path in gone | {each.path for each in excess}:
        path.unlink(missing_ok=True)
    return excess, min((each.began for each in left if each not in excess), default=0.0)
