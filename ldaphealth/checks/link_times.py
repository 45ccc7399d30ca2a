"""How long each replication link of a server has been as it is, by the reads of the server. Pure.

consumer.py judges it. Durations are those between observations, from the end of one to the end of
another. The reads of two probes of a round may end in another order.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

from msgspec import Struct

from ldaphealth.check import MOST_NEWEST
from ldaphealth.checks.links import PERSIST, Facts, Link, LinkKey
from ldaphealth.clocks import MonotonicSeconds
from ldaphealth.model import Observation

# Of one link, with the end of each; oldest first, never empty.
Reads = Sequence[tuple[MonotonicSeconds, Link]]


class LinkTimes(Struct, frozen=True, kw_only=True):
    """A link as the newest read shows it, and for how long the newest reads show something of it.

    `lost_seconds`: it is lost, and had no contact meanwhile; `refreshing_seconds`: it refreshes;
    `silent_seconds`: it is connected, and had no contact meanwhile. In the newest 64 reads, which
    span `counted_seconds`, it reconnected `reconnects` times.
    """

    link: Link
    lost_seconds: float
    refreshing_seconds: float
    silent_seconds: float
    reconnects: int
    counted_seconds: float


def link_times(own: Sequence[Observation[Facts]], *, is_growing: bool) -> list[LinkTimes]:
    """Return the times of each link of the newest read, which has facts.

    `own` are all reads of the server, oldest first. `is_growing`: each one with facts differs from
    the one before it at most in contacts that grew, and for links without a connection in attempts.
    """
    read = [each for each in own if each.facts is not None]
    # With older ones, one a day were a loop.
    counted = [each for each in own[-MOST_NEWEST:] if each.facts is not None]
    newest = read[-1].facts
    assert newest is not None
    if is_growing and all(each.connected for each in newest.links):
        counted_seconds = max(0.0, read[-1].ended_at - counted[0].ended_at)
        return [
            _of_steady(link, place, read, counted_seconds)
            for place, link in enumerate(newest.links)
        ]
    all_by_key, counted_by_key = _reads_by_key(read), _reads_by_key(counted)
    return [_of_reads(all_by_key[each.key], counted_by_key[each.key]) for each in newest.links]


def _of_steady(
    link: Link, place: int, read: Sequence[Observation[Facts]], counted_seconds: float
) -> LinkTimes:
    """Return the times of a connected link, which was as it is in all reads, but for its contacts.

    Then it is at the same place in all of them.
    """

    def contact(seen: Observation[Facts]) -> str:
        assert seen.facts is not None
        return seen.facts.links[place].contact

    latest = read[-1].ended_at
    refreshing_since = read[0].ended_at if link.is_refreshing else latest
    silent_since = read[bisect_left(read, link.contact, key=contact)].ended_at
    return LinkTimes(
        link=link,
        lost_seconds=0.0,
        refreshing_seconds=max(0.0, latest - refreshing_since),
        silent_seconds=max(0.0, latest - silent_since),
        reconnects=0,
        counted_seconds=counted_seconds,
    )


def _reads_by_key(read: Sequence[Observation[Facts]]) -> Mapping[LinkKey, Reads]:
    """Return the reads of each link."""
    found: dict[LinkKey, list[tuple[MonotonicSeconds, Link]]] = {}
    for seen in read:
        for link in () if seen.facts is None else seen.facts.links:
            found.setdefault(link.key, []).append((seen.ended_at, link))
    return found


def _of_reads(reads: Reads, counted: Reads) -> LinkTimes:
    link = reads[-1][1]
    return LinkTimes(
        link=link,
        lost_seconds=_seconds(reads, lambda each: each.is_lost and each.contact == link.contact),
        refreshing_seconds=_seconds(reads, lambda each: each.is_refreshing),
        silent_seconds=_seconds(
            reads, lambda each: each.connected and each.contact == link.contact
        ),
        reconnects=_reconnects([each for _, each in counted]),
        counted_seconds=max(0.0, counted[-1][0] - counted[0][0]),
    )


def _seconds(reads: Reads, condition: Callable[[Link], bool]) -> float:
    """Return the seconds for which the newest reads have all met the condition."""
    since = latest = reads[-1][0]
    for at, link in reversed(reads):
        if not condition(link):
            break
        since = at
    return max(0.0, latest - since)


def _reconnects(links: Sequence[Link]) -> int:
    """Return the number of connections that were made between the first read and the last.

    An attempt counts if the link was connected after it, or was in contact since the read before.
    A provider that is down for an hour is tried every few seconds, which is not a loop.
    """
    made = [links[0].connect] * links[0].connected + [
        link.connect
        for before, link in pairwise(links)
        if link.connected or (link.phase == PERSIST and link.contact != before.contact)
    ]
    return sum(earlier != later for earlier, later in pairwise(made))
