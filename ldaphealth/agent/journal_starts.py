"""When the agent began to watch a cluster, and for how long it had not: read from the journal.

A segment that begins with a pool of which nothing was probed yet is the first of an agent that was
started, or of a cluster that its settings did not have before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

from msgspec import Struct

from ldaphealth.agent.journal_cluster import Finder
from ldaphealth.agent.journal_segment import SegmentReader
from ldaphealth.clocks import EpochSeconds
from ldaphealth.store.journal_files import DamagedError, Segment
from ldaphealth.text.moment import moment

TOGETHER_SECONDS = 10.0
LEAST_GAP_SECONDS = 120.0  # the journal is written to the disk every 30 s


class JournalStart(Struct, frozen=True, kw_only=True):
    """A segment that does not just go on with the one before.

    `is_start`: the agent began to watch the cluster. `silent_seconds`: for how long the journal has
    nothing before it; None without an earlier segment.
    """

    cluster: str
    at: EpochSeconds
    program: str
    is_start: bool
    silent_seconds: float | None


def journal_starts(
    segments: Sequence[Segment], finder: Finder, since: EpochSeconds, until: EpochSeconds
) -> Iterator[JournalStart]:
    """Yield the starts and gaps of a cluster in a period; `segments` are all of it, oldest first.

    A segment that cannot be read is skipped.
    """
    for before, each in pairwise([None, *segments]):
        if each is None or not since <= each.began <= until:
            continue
        reader = SegmentReader(each.path, finder)
        try:
            began = reader.began()
        except (DamagedError, OSError):
            continue
        if began is None or reader.header is None:
            continue
        silent = None if before is None else max(0.0, each.began - before.began - before.seconds)
        is_start = not began.state.latest
        if is_start or (silent or 0.0) > LEAST_GAP_SECONDS:
            yield JournalStart(
                cluster=each.cluster,
                at=each.began,
                program=reader.header.program,
                is_start=is_start,
                silent_seconds=silent,
            )


def starts_document(found: Iterable[JournalStart]) -> list[dict[str, Any]]:
    """Return starts for JSON, by time; those of several clusters within seconds are one."""
    entries: list[dict[str, Any]] = []
    newest = 0.0
    for each in sorted(found, key=lambda one: (one.at, one.cluster)):
        entry = entries[-1] if entries else {}
        if entry.get("is_start") is each.is_start and each.at - newest < TOGETHER_SECONDS:
            entry["clusters"].append(each.cluster)
            continue
        newest = each.at
        entries.append(
            {
                "at": moment(each.at),
                "clusters": [each.cluster],
                "program": each.program,
                "is_start": each.is_start,
                "silent_seconds": each.silent_seconds,
            }
        )
    return entries
