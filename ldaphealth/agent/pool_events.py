"""All that changes a pool, as events: the same events in the same order give the same verdicts.

A pool notifies its followers of each event, after it was applied. `apply_event` of pool_replay.py
applies it to another pool.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from ldaphealth.clocks import BootSeconds
from ldaphealth.guard import Memory, Override, RoundPeriod
from ldaphealth.judging.recent_observations import RecentState
from ldaphealth.model import AnyObservation, Finding, Verdict
from ldaphealth.settings import Cluster

if TYPE_CHECKING:  # pool.py imports this module
    from ldaphealth.agent.pool import Pool


class PoolState(Struct, frozen=True, kw_only=True):
    """All that a pool needs to go on, at one moment. The collections are copies.

    `rounds` are those since the last decision, and `taken_back` who removed overrides since then.
    It has neither the turns of checks, which decide what is probed and no verdict, nor what the
    `take_` methods return.
    """

    cluster: Cluster
    memory: Memory
    recent: RecentState
    verdicts: Mapping[str, Verdict]
    latest: Mapping[str, tuple[AnyObservation, ...]]
    surveyed: Mapping[str, Mapping[str, AnyObservation]]
    findings: Mapping[str, tuple[Finding, ...]]
    rounds: Mapping[str, RoundPeriod]
    taken_back: Mapping[str, str]


class Began(Struct, frozen=True):
    """A pool has this state: the first event of each follower, also of one that came later."""

    state: PoolState


class RoundAdded(Struct, frozen=True):
    """A round of a server has ended."""

    server: str
    seen: Sequence[AnyObservation]
    period: RoundPeriod


class SurveyAdded(Struct, frozen=True):
    """A survey has ended."""

    seen: Sequence[AnyObservation]


class Decided(Struct, frozen=True):
    """The verdicts were decided at this time; the pool has them."""

    now: BootSeconds


class OverrideChanged(Struct, frozen=True):
    """An operator set an override on a server; None: `by` removed it."""

    server: str
    override: Override | None
    by: str


class BaselinesAccepted(Struct, frozen=True):
    """An operator accepted that the cluster went back to an older state."""


class Reconfigured(Struct, frozen=True):
    """The settings were replaced."""

    cluster: Cluster


class Ended(Struct, frozen=True):
    """The cluster was removed from the settings. It is the last event of a pool."""


PoolEvent = (
    Began
    | RoundAdded
    | SurveyAdded
    | Decided
    | OverrideChanged
    | BaselinesAccepted
    | Reconfigured
    | Ended
)
# Called in the thread of the agent with the pool and what has changed it: it must not block. If it
# raises, that is logged.
Follower = Callable[["Pool", PoolEvent], object]
