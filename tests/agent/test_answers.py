"""The answer to a request for an override is true, however busy the agent is."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from ldaphealth.agent.agent import Agent
from ldaphealth.agent.answers import Answers
from ldaphealth.control.requests import (
    BaselineRequest,
    ControlResponse,
    ExplainRequest,
    OverrideRequest,
    RemoveOverrideRequest,
    StatusRequest,
)
from ldaphealth.guard import Memory, ServerMemory
from ldaphealth.guard.verdicts import Verdicts
from ldaphealth.model import OverrideAction, Server, State, Verdict
from ldaphealth.settings import AgentSettings, Cluster, HistorySettings, Settings
from ldaphealth.store.history import HistoryDatabase
from ldaphealth.store.levels import bounds_of

PATIENCE_SECONDS = 0.2
LONG_SECONDS = 10.0
DRAIN = OverrideRequest("c/a", "drain", 3600.0, "new kernel", by="alice")
REMOVE = RemoveOverrideRequest("c/a", by="bob")
TOO_FEW = "fewer than min_in_service (1)"


class Stage:
    """An agent that sees nothing, and its answers; it works from `start` to `stop`."""

    def __init__(self, directory: Path, timeout_seconds: float, min_in_service: int = 0) -> None:
        cluster = Cluster(
            name="c",
            servers=(Server(cluster="c", name="a", uri="ldap://127.0.0.1"),),
            checks=(),
            min_in_service=min_in_service,
        )
        self.saved = 0
        self.agent = Agent(
            Settings(
                {"c": cluster},
                AgentSettings(runtime_directory=directory, state_directory=directory),
            ),
            [],
            probe=lambda *_: [],
        )
        history = HistoryDatabase(directory / "history", bounds_of(HistorySettings()))
        self.answers = Answers(
            self.agent, history, self._save, "0", timeout_seconds=timeout_seconds
        )
        self.thread = threading.Thread(target=self.agent.run)

    @property
    def overrides(self) -> dict[str, str]:
        """Return the actions of the overrides, by server."""
        found = self.agent.pools["c"].memory.overrides
        return {server: override.action for server, override in found.items()}

    def start(self) -> None:
        """Let the agent work."""
        self.thread.start()

    def stop(self) -> None:
        """Let it handle all requests, and end."""
        self.agent.stop()
        self.thread.join(LONG_SECONDS)

    def _save(self) -> None:
        self.saved += 1


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path, PATIENCE_SECONDS)
    yield made
    made.stop()


@pytest.mark.parametrize(
    "request_",
    [
        DRAIN,
        REMOVE,
        StatusRequest(),
        ExplainRequest("c/a"),
        BaselineRequest("c"),
    ],
    ids=repr,
)
def test_what_was_answered_with_busy_is_never_done(stage: Stage, request_: object) -> None:
    answer = stage.answers.answer(request_)  # type: ignore[arg-type]
    assert answer == ControlResponse(error="the agent is busy; nothing was done; try again")

    stage.start()
    stage.stop()

    assert stage.overrides == {}
    assert stage.saved == 0


def test_what_is_tried_again_is_done_once(tmp_path: Path) -> None:
    stage = Stage(tmp_path, LONG_SECONDS)
    taken_back = stage.agent.submit(lambda: stage.answers._override(REMOVE, None, force=False))
    assert taken_back.cancel()
    stage.start()

    assert stage.answers.answer(DRAIN).error == ""
    assert stage.answers.answer(StatusRequest()).error == ""
    assert stage.overrides == {"c/a": "drain"}
    assert stage.saved == 1
    stage.stop()


def test_an_override_keeps_who_set_it_why_and_until_when(tmp_path: Path) -> None:
    stage = Stage(tmp_path, LONG_SECONDS)
    stage.start()
    before = time.time()
    assert stage.answers.answer(DRAIN).error == ""
    note = stage.agent.pools["c"].memory.overrides["c/a"].note

    assert (note.action, note.by, note.reason) == ("drain", "alice", "new kernel")
    assert note.until_epoch is not None
    assert before + 3600 <= note.until_epoch <= time.time() + 3600
    stage.stop()


@pytest.mark.parametrize("action", ["drain", "out"])
def test_the_last_server_in_service_goes_out_by_force_only(
    tmp_path: Path, action: OverrideAction
) -> None:
    stage = Stage(tmp_path, LONG_SECONDS)
    serving = Verdict(server="c/a", state=State.OK, in_service=True, weight=100)
    stage.agent.pools["c"].verdicts = Verdicts({"c/a": serving})
    stage.start()
    request = OverrideRequest("c/a", action, 3600.0, "new kernel")

    refused = stage.answers.answer(request)

    assert "c/a is the last server in service" in refused.error
    assert "--force" in refused.error
    assert stage.overrides == {}
    assert stage.answers.answer(replace(request, force=True)).error == ""
    assert stage.overrides == {"c/a": action}
    stage.stop()


@pytest.mark.parametrize(
    ("min_in_service", "words"),
    [
        (0, ""),
        (1, f"c: 0 of 1 server in service, {TOO_FEW}; out by override: a (drain)"),
    ],
)
def test_a_drain_below_the_least_number_in_service_says_so(
    tmp_path: Path, min_in_service: int, words: str
) -> None:
    stage = Stage(tmp_path, LONG_SECONDS, min_in_service)
    pool = stage.agent.pools["c"]
    pool.memory = Memory(servers={"c/a": ServerMemory(in_service=True, since=0.0)})
    stage.start()

    answer = stage.answers.answer(replace(DRAIN, force=True))

    stage.stop()
    assert answer.document == {"server": "c/a", "in_service": False, "broken_floor": words}


def test_what_has_begun_is_not_told_to_be_undone(stage: Stage) -> None:
    release = threading.Event()

    def slow() -> dict[str, object]:
        release.wait(LONG_SECONDS)
        return {}

    answers: list[str] = []

    def call() -> None:
        try:
            stage.answers._in_agent(slow)
        except Exception as refused:
            answers.append(str(refused))

    caller = threading.Thread(target=call)
    caller.start()
    stage.start()
    caller.join(LONG_SECONDS)
    release.set()

    assert answers == [
        "the agent is busy with this request and may still complete it; check its status"
    ]


def test_a_cluster_in_place_of_a_server_is_told_so(tmp_path: Path) -> None:
    stage = Stage(tmp_path, LONG_SECONDS)
    stage.start()

    answer = stage.answers.answer(OverrideRequest("c", "drain", 3600.0, "new kernel"))

    assert answer.error == "'c' is a cluster: name one server of it, CLUSTER/SERVER"
    stage.stop()


@pytest.mark.parametrize(
    ("cluster", "error"),
    [
        ("d", "the agent has no cluster 'd'; there are c"),
        ("c/a", "'c/a' is a server: name its cluster, c"),
        (
            "c",
            (
                "nothing to accept in c: no server lacks changes that it had, or another server "
                "still has them; `ldaphealth explain c/SERVER` shows which"
            ),
        ),
    ],
)
def test_a_baseline_that_cannot_be_accepted_is_refused_with_the_reason(
    tmp_path: Path, cluster: str, error: str
) -> None:
    stage = Stage(tmp_path, LONG_SECONDS)
    stage.start()
    answer = stage.answers.answer(BaselineRequest(cluster))
    stage.stop()

    assert answer.error == error


def test_a_round_that_is_left_out_is_counted_and_logged_with_its_server(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    agent = Stage(tmp_path, LONG_SECONDS).agent
    agent._in_flight.add("c/a")

    with caplog.at_level(logging.WARNING):
        agent._start("c/a")
        agent.pools["c"].hung.add("c/a")
        agent._start("c/a")
        agent._start("c/a", counts=False)

    left_out = [each for each in caplog.records if each.getMessage() == "round left out"]
    assert [vars(each)["server"] for each in left_out] == ["c/a", "c/a"]
    assert "is slow" in vars(left_out[0])["error"]
    assert "does not answer" in vars(left_out[1])["error"]
    assert agent.counters.overruns == 2
