"""Events of a pool applied to another one: the same events give the same verdicts. Pure."""

from __future__ import annotations

from ldaphealth.agent.pool import Pool
from ldaphealth.agent.pool_events import (
    BaselinesAccepted,
    Began,
    Decided,
    Ended,
    OverrideChanged,
    PoolEvent,
    Reconfigured,
    RoundAdded,
    SurveyAdded,
)


def apply_event(pool: Pool, event: PoolEvent) -> Pool:
    """Apply an event to a pool, and return the pool: a new one after `Began`."""
    match event:
        case Began(state):
            return Pool.of_state(state)
        case RoundAdded(server, seen, period):
            pool.add_round(server, seen, period)
        case SurveyAdded(seen):
            pool.add_survey(seen)
        case Decided(now):
            pool.decide(now)
        case OverrideChanged(server, override, by):
            pool.override(server, override, by)
        case BaselinesAccepted():
            pool.accept_baselines()
        case Reconfigured(cluster):
            pool.reconfigure(cluster)
        case Ended():
            pass
    return pool
