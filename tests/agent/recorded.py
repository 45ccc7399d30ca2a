"""A simulated site with its journal: what was published, and the same computed again."""

from __future__ import annotations

from array import array
from pathlib import Path
from zlib import crc32

import msgspec

from ldaphealth.agent.journal_segment import SegmentReader, SegmentWriter
from ldaphealth.agent.pool import Pool
from ldaphealth.agent.pool_events import Began, Decided, PoolEvent
from ldaphealth.agent.pool_replay import apply_event
from ldaphealth.checks import find
from ldaphealth.store.journal_files import segments_by_cluster
from tests.agent.simulated_site import Site

START = 1_767_225_600.0  # 2026-01-01, the time of day at the start of a site
SEGMENT_SECONDS = 3600.0
FLUSHED_DECISIONS = 6


def whole(pool: Pool) -> int:
    """Return a checksum of all verdicts, with all of their findings and numbers."""
    return crc32(msgspec.msgpack.encode(list(pool.verdicts.items())))


class Recording:
    """A follower that writes the journal in the same thread, and notes all verdicts."""

    def __init__(
        self, site: Site, directory: Path, segment_seconds: float = SEGMENT_SECONDS
    ) -> None:
        self.directory = directory
        self.published = array("I")
        self._site, self._segment_until = site, 0.0
        self._segment_seconds = segment_seconds
        self._segment: SegmentWriter | None = None
        site.follow(self.note)

    def note(self, pool: Pool, event: PoolEvent) -> None:
        """Write an event; after a decision that is due, a new segment begins."""
        now = START + self._site.now
        if isinstance(event, Began):
            self._begin(event, now)
            return
        assert self._segment is not None
        self._segment.add(event, pool.verdicts, now)
        if isinstance(event, Decided):
            self.published.append(whole(pool))
            if len(self.published) % FLUSHED_DECISIONS == 0:
                self._segment.file.flush()
            if self._site.now >= self._segment_until:
                self._begin(Began(pool.state()), now)

    def _begin(self, began: Began, now: float) -> None:
        self.close()
        self._segment = SegmentWriter(self.directory, began, now, "1")
        self._segment_until = self._site.now + self._segment_seconds

    def close(self) -> None:
        """Write what is left."""
        if self._segment is not None:
            self._segment.end()
            self._segment = None

    def computed_again(self) -> array[int]:
        """Return the same as `published`, from the files alone."""
        found = array("I")
        for segment in segments_by_cluster(self.directory)[self._site.pool.cluster.name]:
            pool: Pool | None = None
            for each in SegmentReader(segment.path, find).recorded():
                event = each.event
                if isinstance(event, Began):
                    pool = Pool.of_state(event.state)
                    continue
                assert pool is not None
                apply_event(pool, event)
                if isinstance(event, Decided):
                    found.append(whole(pool))
        return found
