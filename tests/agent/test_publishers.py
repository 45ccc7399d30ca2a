"""An error in a publisher stops neither the agent nor the other publishers."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import pytest

from demo import wait
from ldaphealth.agent.agent import Agent
from ldaphealth.live.live_state import LiveState
from ldaphealth.model import Observation, Server
from ldaphealth.publishers.publication import Publication
from ldaphealth.settings import AgentSettings, Cluster, Settings
from tests.checks.seen import planned

PATIENCE_SECONDS = 10.0


class Failing:
    """A publisher that cannot publish."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def publish(self, _: Publication) -> None:
        """Fail."""
        raise self.error

    def close(self) -> None:
        """Fail again."""
        raise self.error


@pytest.mark.parametrize("error", [OSError("disk full"), KeyError("a defect")], ids=repr)
def test_others_are_told_all_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    servers = (Server(cluster="c", name="a", uri="ldap://192.0.2.1"),)
    cluster = Cluster(
        name="c",
        servers=servers,
        checks=(planned("connect"),),
        min_in_service=0,
        interval_seconds=0.05,
    )
    live_state = LiveState()
    agent = Agent(
        Settings(
            {"c": cluster},
            AgentSettings(runtime_directory=tmp_path, state_directory=tmp_path),
        ),
        [Failing(error), live_state],
        probe=lambda server, *_: [
            Observation(
                server=server.id,
                check="connect",
                started_at=0.0,
                duration_seconds=0.001,
                timings={},
            )
        ],
    )
    caplog.set_level(logging.INFO)
    thread = threading.Thread(target=agent.run)
    thread.start()
    try:
        wait.until(lambda: agent.counters.publish_errors > 2, PATIENCE_SECONDS, "it ended")
        assert set(live_state.view.clusters) == {"c"}
    finally:
        agent.stop()
        thread.join(PATIENCE_SECONDS)

    messages = [each.getMessage() for each in caplog.records]
    assert {"cannot publish", "cannot close"} <= {*messages}
    # A log that nobody reads must not hold a verdict back.
    assert messages.index("cannot publish") < messages.index("verdict")
