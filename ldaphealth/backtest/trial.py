"""One other set of settings, which judges what a cluster's own pool got from the journal."""

from __future__ import annotations

from msgspec import Struct

from ldaphealth.agent.journal_summary import (
    PartSummary,
    SegmentSummary,
    judged_digest,
    settings_digest,
)
from ldaphealth.agent.pool import Pool
from ldaphealth.agent.pool_events import (
    Began,
    Decided,
    Ended,
    PoolEvent,
    Reconfigured,
    RoundAdded,
)
from ldaphealth.agent.shadow_pool import apply_to_shadow, shadow_pool
from ldaphealth.backtest.calm import changes_nothing
from ldaphealth.backtest.course import Course
from ldaphealth.backtest.other_settings import OtherSettings, with_other_settings
from ldaphealth.clocks import BootSeconds, EpochSeconds
from ldaphealth.settings import Cluster


class Observed(Struct, frozen=True):
    """The settings by which a cluster was observed, their digest, and that of judged metrics."""

    cluster: Cluster
    digest: int
    judged: int


class Trial:
    """The other settings, and what they would have decided: `course`.

    `left_out` has what of them cannot be tried, each phrase once.
    """

    def __init__(self, other: Cluster) -> None:
        self.course = Course()
        self.left_out: dict[str, None] = {}
        self._other = other
        self._pool: Pool | None = None
        self._settings: dict[int, OtherSettings] = {}
        self._decided_at: BootSeconds | None = None  # the last decision that was left out

    def is_resting(self) -> bool:
        """Return whether all servers are in service, and no rule holds any."""
        verdicts = {} if self._pool is None else self._pool.verdicts
        return all(each.in_service and not each.held_by for each in verdicts.values())

    def is_calm(self, part: PartSummary, observed: Observed) -> bool:
        """Return whether a part of a segment changes nothing, if the trial rests."""
        return changes_nothing(part, observed.cluster, self._judged_by(observed))

    def skip(self, summary: SegmentSummary, observed: Observed) -> None:
        """Leave out a calm segment. The trial begins anew after it."""
        self.pause()
        servers = (each.id for each in self._judged_by(observed).servers)
        self.course.note_calm(servers, summary.parts[0].critical, summary.since)

    def pause(self) -> None:
        """Begin anew with the next segment: something is missing between the last one and it."""
        self._pool = self._decided_at = None

    def apply(self, event: PoolEvent, at: EpochSeconds, *, is_calm: bool) -> None:
        """Apply an event. A pool that has begun goes on over the end of a segment.

        In a calm part what was seen is only remembered, and judged when the part is over.
        """
        pool = self._pool
        if pool is not None and is_calm and self._is_idle(event):
            if isinstance(event, RoundAdded):
                if event.server in pool.latest:
                    pool.remember_round(event.server, event.seen, event.period)
                return
            if isinstance(event, Decided):
                self._decided_at = event.now
                return
        if pool is not None and self._decided_at is not None:
            pool.judge_remembered()
            self._decide(pool, self._decided_at, at)
            self._decided_at = None
        self._apply(pool, event, at)

    def _is_idle(self, event: PoolEvent) -> bool:
        """Return whether decisions are left out, or may be from this one on."""
        return self._decided_at is not None or (isinstance(event, Decided) and self.is_resting())

    def _apply(self, pool: Pool | None, event: PoolEvent, at: EpochSeconds) -> None:
        if isinstance(event, Began):
            if pool is None:
                settings = self._judged_by(observed_by(event.state.cluster))
                self._pool = shadow_pool(event.state, settings)
        elif pool is None or isinstance(event, Ended):
            self._pool = None
        elif isinstance(event, Decided):
            self._decide(pool, event.now, at)
        elif isinstance(event, Reconfigured):
            pool.reconfigure(self._judged_by(observed_by(event.cluster)))
        else:
            apply_to_shadow(pool, event)

    def _decide(self, pool: Pool, now: BootSeconds, at: EpochSeconds) -> None:
        for change in pool.decide(now)[0]:
            self.course.note(change.after, at)

    def _judged_by(self, observed: Observed) -> Cluster:
        """Return the other settings for what was observed by some."""
        found = self._settings.get(observed.digest)
        if found is None:
            found = with_other_settings(observed.cluster, self._other)
            self._settings[observed.digest] = found
            self.left_out |= dict.fromkeys(found.left_out)
        return found.cluster


def observed_by(cluster: Cluster) -> Observed:
    """Return the settings with their digest."""
    return Observed(cluster, settings_digest(cluster), judged_digest(cluster))
