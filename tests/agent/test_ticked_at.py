"""The agent shows when its loop came round last: by it `/live` tells a hanging one."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from ldaphealth.agent.agent import Agent
from ldaphealth.check import Cluster
from ldaphealth.settings import AgentSettings, Settings


def test_each_round_of_the_loop_is_noted() -> None:
    moments = iter([5.0, 5.0, 5.0])
    clock = partial(next, moments)
    settings = Settings({"c": Cluster("c", (), (), 0)}, AgentSettings(Path("/x"), Path("/x")))
    agent = Agent(settings, [], clock=clock)
    assert agent.ticked_at == 5.0

    agent.tick(7.5)
    assert agent.ticked_at == 7.5
