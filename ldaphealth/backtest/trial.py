"""One other set of settings, which judges what a cluster's own pool got from the journal."""

from __future__ import annotations

from msgspec import Struct

from ldaphealth.agent.journal_summary import SegmentSummary, settings_digest
from ldaphealth.agent.pool import Pool
from ldaphealth.agent.pool_events import Began, Decided, Ended, PoolEvent, Reconfigured
from ldaphealth.agent.shadow_pool import apply_to_shadow, shadow_pool
from ldaphealth.backtest.calm import changes_nothing
from ldaphealth.backtest.course import Course
from ldaphealth.backtest.other_settings import OtherSettings, with_other_settings
from ldaphealth.clocks import EpochSeconds
from ldaphealth.settings import Cluster


class Observed(Struct, frozen=True):
    """The settings by which a cluster was observed, and their digest."""

    cluster: Cluster
    digest: int


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

    def is_calm(self, summary: SegmentSummary, observed: Observed) -> bool:
        """Return whether a segment changes nothing: all servers stay in service."""
        verdicts = {} if self._pool is None else self._pool.verdicts
        if not all(each.in_service and not each.held_by for each in verdicts.values()):
            return False
        return changes_nothing(summary, observed.cluster, self._judged_by(observed))

    def skip(self, since: EpochSeconds, observed: Observed) -> None:
        """Leave out a calm segment. The trial begins anew after it."""
        self._pool = None
        self.course.note_calm((each.id for each in self._judged_by(observed).servers), since)

    def pause(self) -> None:
        """Begin anew with the next segment: something is missing between the last one and it."""
        self._pool = None

    def apply(self, event: PoolEvent, at: EpochSeconds) -> None:
        """Apply an event. A pool that has begun goes on over the end of a segment."""
        if isinstance(event, Began):
            if self._pool is None:
                settings = self._judged_by(observed_by(event.state.cluster))
                self._pool = shadow_pool(event.state, settings)
        elif self._pool is None or isinstance(event, Ended):
            self._pool = None
        elif isinstance(event, Decided):
            for change in self._pool.decide(event.now)[0]:
                self.course.note(change.after, at)
        elif isinstance(event, Reconfigured):
            self._pool.reconfigure(self._judged_by(observed_by(event.cluster)))
        else:
            apply_to_shadow(self._pool, event)

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
    return Observed(cluster, settings_digest(cluster))
