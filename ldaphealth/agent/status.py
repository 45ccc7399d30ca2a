"""The health of the agent and the overrides in force, for its status, its metrics and its page.

Any thread may call these functions: they only read.
"""

from __future__ import annotations

from ldaphealth.agent.agent import Agent
from ldaphealth.agent.journal import Journal
from ldaphealth.clocks import boot_seconds, epoch_seconds
from ldaphealth.guard import Override
from ldaphealth.live.health import AgentHealth
from ldaphealth.store.history import HistoryDatabase


def health_of(
    agent: Agent, history: HistoryDatabase, version: str, journal: Journal | None = None
) -> AgentHealth:
    """Return the counts and numbers of the agent at this moment."""
    counters, now = agent.counters, boot_seconds()
    return AgentHealth(
        version=version,
        shard=agent.settings.shard.index,
        shards=agent.settings.shard.count,
        up_seconds=now - agent.started_at,
        servers=sum(len(cluster.servers) for cluster in agent.settings.clusters.values()),
        rounds=counters.rounds,
        overruns=counters.overruns,
        deadline_misses=counters.deadline_misses,
        in_flight=agent.in_flight,
        waiting=agent.rounds.waiting,
        publish_errors=counters.publish_errors,
        history_errors=history.errors,
        history_lost=history.lost,
        history_lost_points=history.lost_points,
        history_cuts=history.cuts,
        history_oldest_age_seconds={
            level: max(0.0, epoch_seconds() - epoch) for level, epoch in history.oldest.items()
        },
        late=agent.running.lateness.count,
        late_seconds=agent.running.lateness.seconds,
        loop_age_seconds=max(0.0, now - agent.ticked_at),
        reload_failure=agent.reload_failure,
        journal_errors=journal.errors if journal else 0,
        journal_lost=journal.lost if journal else 0,
        journal_from_epoch_seconds=journal.oldest_epoch_seconds if journal else 0.0,
        config_read_epoch_seconds=agent.config_read_epoch_seconds,
    )


def overrides_of(agent: Agent) -> dict[str, Override]:
    """Return the overrides by server ID."""
    return {
        server: override
        for pool in agent.pools.values()
        for server, override in pool.memory.overrides.items()
    }
