"""An agent whose main loop hangs: old verdicts are not reported, and the reason is."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo import wait
from ldaphealth.agent.agent import Agent
from ldaphealth.agent.status import health_of
from ldaphealth.clocks import boot_seconds
from ldaphealth.model import Observation, Server
from ldaphealth.settings import AgentSettings, Cluster, HistorySettings, Settings
from ldaphealth.store.history import HistoryDatabase
from ldaphealth.store.levels import bounds_of
from ldaphealth.web.source import Source
from tests.checks.seen import planned
from tests.web.listening import Listening

PATIENCE_SECONDS = 10.0
LONG_SECONDS = 60.0  # more than any verdict of the agent below holds


class Frozen(Listening):
    """The web server of a real agent."""

    later_seconds = 0.0

    def of(self, agent: Agent, history: HistoryDatabase) -> Frozen:
        """Serve the state of this agent. The clock of the web server may be ahead of its own."""
        self.agent, self.history = agent, history
        return self

    @property
    def source(self) -> Source:
        """Return the data for all answers."""
        return Source(
            live_state=self.live_state,
            settings=lambda: self.agent.settings,
            health=lambda: health_of(self.agent, self.history, "0"),
            overrides=dict,
            ticked_at=lambda: self.agent.ticked_at,
            now=lambda: boot_seconds() + self.later_seconds,
        )


@pytest.fixture
def frozen(tmp_path: Path) -> Iterator[Frozen]:
    """Return the server of an agent that found all well, and hangs since."""
    servers = tuple(Server(cluster="c", name=each, uri=f"ldap://{each}") for each in "ab")
    cluster = Cluster(
        name="c",
        servers=servers,
        checks=(planned("connect"),),
        min_in_service=1,
        interval_seconds=0.1,
    )
    web = Frozen()
    agent = Agent(
        Settings(
            {"c": cluster},
            AgentSettings(runtime_directory=tmp_path, state_directory=tmp_path),
        ),
        [web.live_state],
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
    thread, release = threading.Thread(target=agent.run), threading.Event()
    thread.start()
    history = HistoryDatabase(tmp_path / "history", bounds_of(HistorySettings()))
    with web.of(agent, history):
        wait.until(lambda: web.get("/ready").status == 200, PATIENCE_SECONDS, "no verdicts")
        agent.submit(lambda: release.wait(PATIENCE_SECONDS))
        yield web
        release.set()
    agent.stop()
    thread.join(PATIENCE_SECONDS)
    history.close()


def test_nothing_is_told_that_holds_no_more(frozen: Frozen) -> None:
    assert frozen.get("/health/c").status == 200
    frozen.later_seconds = LONG_SECONDS

    answers = {path: frozen.get(path) for path in ("/live", "/ready", "/health/c", "/health/c/a")}
    assert {path: answer.status for path, answer in answers.items()} == dict.fromkeys(answers, 503)
    assert "has not run for" in answers["/live"].body
    assert "no fresh verdict" in answers["/health/c/a"].body
    status = json.loads(frozen.get("/api/v1/status").body)
    assert (status["verdicts"], len(status["without_verdict"])) == ([], 2)
    assert status["valid_seconds"] == {}
    metrics = frozen.get("/metrics").body
    assert 'ldaphealth_server_verdict_valid{cluster="c",server="a"} 0.0\n' in metrics
    assert "ldaphealth_server_in_service" not in metrics
    assert frozen.agent_check(b"c/a\n") == b""
    page = frozen.get("/").body
    assert "0 of 2 servers in service" in page
    assert page.count("no fresh verdict") >= 2


def test_the_age_of_the_loop_is_told_at_once(frozen: Frozen) -> None:
    wait.until(lambda: loop_age(frozen) > 1.5, PATIENCE_SECONDS, "it goes on")
    assert loop_age(frozen) < PATIENCE_SECONDS


def loop_age(web: Frozen) -> float:
    lines = web.get("/metrics").body.splitlines()
    (line,) = (each for each in lines if each.startswith("ldaphealth_agent_loop_age_seconds "))
    return float(line.split()[1])
