"""The agent records the time of its last tick, by which `/live` detects one that hangs."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from ldaphealth.agent.agent import Agent
from ldaphealth.settings import AgentSettings, Cluster, Settings


def test_each_round_of_the_loop_is_noted() -> None:
    moments = iter([5.0, 5.0, 5.0])
    clock = partial(next, moments)
    settings = Settings(
        {"c": Cluster(name="c", servers=(), checks=(), min_in_service=0)},
        AgentSettings(runtime_directory=Path("/x"), state_directory=Path("/x")),
    )
    agent = Agent(settings, [], clock=clock)
    assert agent.ticked_at == 5.0

    agent.tick(7.5)
    assert agent.ticked_at == 7.5
