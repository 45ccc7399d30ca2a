"""While the system refuses threads, rounds and answers go on; afterwards nothing is left of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from demo import wait
from ldaphealth.agent.agent import Agent
from ldaphealth.control.client import send_request
from ldaphealth.control.requests import ControlResponse, StatusRequest
from ldaphealth.control.server import MOST_CLIENTS, ControlServer
from ldaphealth.ldap.deadline import Deadline
from ldaphealth.model import AnyObservation, Server
from ldaphealth.settings import AgentSettings, ConfiguredCheck, Settings
from ldaphealth.web.in_thread import MOST_CALLS
from tests.checks.seen import cluster, planned, saw
from tests.test_workers import shortage_of_threads
from tests.web.listening import Listening, verdict
from tests.web.listening import cluster as pool_of

SERVERS = 20
TAKES_SECONDS = 0.02


def probe(server: Server, _: Sequence[ConfiguredCheck], __: Deadline) -> list[AnyObservation]:
    time.sleep(TAKES_SECONDS)
    return [saw("connect", of=server.name, at=time.monotonic())]


def agent_of(directory: Path) -> Agent:
    pool = replace(cluster(planned("connect"), servers=SERVERS), interval_seconds=0.5)
    paths = AgentSettings(runtime_directory=directory, state_directory=directory)
    return Agent(Settings({"c": pool}, paths), [], probe=probe)


def test_rounds_go_on_with_the_threads_that_exist(tmp_path: Path) -> None:
    agent = agent_of(tmp_path)
    loop = threading.Thread(target=agent.run)
    loop.start()
    try:
        with shortage_of_threads():
            rounds = agent.counters.rounds
            assert wait.comes_true(lambda: agent.counters.rounds > rounds + 3 * SERVERS, 10.0)
            verdicts = agent.pools["c"].verdicts
            assert len(verdicts) == SERVERS
            assert all(each.in_service for each in verdicts.values())
    finally:
        agent.stop()
        loop.join(10.0)


def test_an_agent_whose_event_loop_has_ended_is_not_alive(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    agent = agent_of(tmp_path)
    agent.tick(agent.started_at + 1.0)
    assert agent.ticked_at == agent.started_at + 1.0

    agent.rounds.shutdown()  # as a defect would
    with pytest.raises(RuntimeError):
        agent.tick(agent.started_at + 2.0)

    assert agent.ticked_at == agent.started_at + 1.0
    assert "no server is probed, because the event loop has ended" in caplog.text


def test_a_round_starts_no_thread_when_the_threads_are_there(tmp_path: Path) -> None:
    agent = agent_of(tmp_path)
    loop = threading.Thread(target=agent.run)
    loop.start()
    try:
        assert wait.comes_true(lambda: agent.counters.rounds > SERVERS, 10.0)
        before = {each.ident for each in threading.enumerate()}
        rounds = agent.counters.rounds
        new: set[int | None] = set()

        def has_gone_on() -> bool:
            new.update({each.ident for each in threading.enumerate()} - before)
            return agent.counters.rounds > rounds + 3 * SERVERS

        assert wait.comes_true(has_gone_on, 10.0)
        assert len(new) < SERVERS, "60 rounds or more had passed"
    finally:
        agent.stop()
        loop.join(10.0)


def test_the_control_socket_answers_during_it_and_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "agent.sock"
    server = ControlServer(path, "", lambda _: ControlResponse({"fine": True}))
    try:
        with shortage_of_threads():
            for _ in range(2 * MOST_CLIENTS):
                assert send_request(path, StatusRequest()) == {"fine": True}
        assert send_request(path, StatusRequest()) == {"fine": True}
    finally:
        server.close()


def test_a_control_socket_that_cannot_be_made_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "agent.sock"
    with shortage_of_threads(), pytest.raises(RuntimeError):
        ControlServer(path, "", lambda _: ControlResponse({}))
    assert not path.exists()

    server = ControlServer(path, "", lambda _: ControlResponse({"fine": True}))
    try:
        (serving,) = (each for each in threading.enumerate() if each.name == "control")
        assert serving.daemon, "it would delay the end of an agent that cannot start"
        assert send_request(path, StatusRequest()) == {"fine": True}
    finally:
        server.close()


def test_pages_answer_during_it_and_afterwards() -> None:
    paths = ("/", "/metrics", "/api/v1/status", "/probe?target=c/a", "/probe?target=c")
    nowhere = replace(pool_of("c", "a", "b"), deadline_seconds=0.2)
    with Listening(clusters=(nowhere,)) as web:
        web.publish(verdict("c/a"), verdict("c/b"))
        with shortage_of_threads():
            for path in paths * (2 * MOST_CALLS):
                assert web.get(path).status == 200
        assert {web.get(path).status for path in paths} == {200}
