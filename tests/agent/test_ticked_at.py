"""The agent records the time of its last tick, by which `/live` detects one that hangs."""

from __future__ import annotations

import logging
import threading
from functools import partial
from pathlib import Path

import pytest

from ldaphealth.agent.agent import STANDSTILL_SECONDS, Agent
from ldaphealth.event_loop import EventLoop
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


def test_a_tick_while_the_rounds_stand_still_is_none(caplog: pytest.LogCaptureFixture) -> None:
    """A call that blocks the event loop ends all probing: a service manager must notice."""
    settings = Settings(
        {"c": Cluster(name="c", servers=(), checks=(), min_in_service=0)},
        AgentSettings(runtime_directory=Path("/x"), state_directory=Path("/x")),
    )
    agent = Agent(settings, [], clock=lambda: 5.0)
    now, began, end = [100.0], threading.Event(), threading.Event()
    agent.rounds = EventLoop("rounds", lambda: now[0])

    def block_everything() -> None:
        began.set()
        end.wait(20.0)

    blocked = agent.rounds.submit(block_everything)
    assert began.wait(20.0)
    now[0] += STANDSTILL_SECONDS - 0.1
    agent.tick(6.0)
    assert agent.ticked_at == 6.0

    now[0] += 0.2
    with caplog.at_level(logging.ERROR):
        agent.tick(7.0)
    assert agent.ticked_at == 6.0
    assert "block_everything" in caplog.records[-1].error  # type: ignore[attr-defined]

    end.set()
    blocked.result(20.0)
    agent.rounds.submit(int).result(20.0)
    agent.tick(8.0)
    assert agent.ticked_at == 8.0
