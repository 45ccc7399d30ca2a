"""A pool that judges by other settings what the pool of a cluster gets. Pure.

The shadow of a running agent is one (shadows.py), and each trial of a backtest.
"""

from __future__ import annotations

from msgspec.structs import replace

from ldaphealth.agent.pool import Pool
from ldaphealth.agent.pool_events import PoolEvent, PoolState, RoundAdded
from ldaphealth.agent.pool_replay import apply_event
from ldaphealth.guard import Memory, ServerMemory
from ldaphealth.judging.recent_observations import RecentState
from ldaphealth.model import CheckEffect
from ldaphealth.settings import Cluster


def shadow_pool(state: PoolState, settings: Cluster) -> Pool:
    """Return a pool that goes on from a state by other settings, with the same probes."""
    pool = Pool.of_state(shadow_state(state, settings))
    pool.reconfigure(settings)  # judges what is remembered by its own settings
    return pool


def apply_to_shadow(pool: Pool, event: PoolEvent) -> Pool:
    """Apply an event of the cluster's own pool, and return the pool."""
    pool = apply_event(pool, event)
    if isinstance(event, RoundAdded):
        pool.uncount_repeated(event.server, event.seen)
    for forget in (pool.take_baselines, pool.take_surveyed, pool.take_returned):
        forget()  # they are of the cluster's own pool
    return pool


def shadow_state(state: PoolState, settings: Cluster) -> PoolState:
    """Return the state in which a shadow begins.

    It remembers what was observed, which server is in service since when, when each answered, and
    the overrides: all that does not depend on the settings, and the side on which the servers are.
    It counts rounds anew, because those of the cluster were counted by other settings.
    """
    servers = {server: _begun(past) for server, past in state.memory.servers.items()}
    return replace(
        state,
        memory=Memory(servers=servers, overrides=state.memory.overrides),
        recent=_without_other_summaries(state, settings),
        verdicts={},
    )


def _begun(past: ServerMemory) -> ServerMemory:
    return replace(past, good=0, bad=0, bad_since=None, blamed=0, leaning=0, leaning_to=past.share)


def _without_other_summaries(state: PoolState, settings: Cluster) -> RecentState:
    """Return what was observed, without summaries of probes that the shadow makes otherwise."""
    all_differ = _out(state.cluster) != _out(settings)
    others = {each.name: each for each in settings.checks}
    dropped = {
        usual.name
        for usual in state.cluster.checks
        if usual.check.summarize is not None and (all_differ or usual != others.get(usual.name))
    }
    seen = {check: of for check, of in state.recent.seen.items() if check not in dropped}
    return replace(state.recent, seen=seen)


def _out(cluster: Cluster) -> set[str]:
    return {each.name for each in cluster.checks if each.effect is CheckEffect.OUT}
