"""An agent that is killed at any moment loses nothing, tears nothing and removes no healthy server.

`make kills` kills it 300 times, the suite a few times.
"""

from __future__ import annotations

import json
import re
import shutil
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from threading import Event, Thread
from typing import Any

import pytest

from demo import wait
from demo.cluster import Cluster
from ldaphealth.clocks import boot_seconds
from ldaphealth.control.client import AgentError, send_request
from ldaphealth.control.requests import (
    HistoryRequest,
    OverrideRequest,
    RemoveOverrideRequest,
    StatusRequest,
)
from ldaphealth.store import history_tables
from ldaphealth.store.history_room import Room
from ldaphealth.store.kept_observations import kept_path, load_kept
from ldaphealth.store.state_file import load_state, state_path
from tests.slapd.running_agent import RunningAgent

pytestmark = pytest.mark.slapd

HEALTHY = ("c/ldap1", "c/ldap2")  # they have no override, and nothing is wrong with them
OVERRIDDEN = ("c/ldap3", "c/ldap4")
MOMENTS = ("start", "overrides", "changes", "reload")
LONGEST_SECONDS = 0.8  # until it is killed
HISTORY_BYTES = 4 << 20  # the least that can be configured
VERDICT = re.compile(r"ldaphealth1 [01] [0-9]+ [0-9]+ c/ldap[1-4] .*\n")
Answer = dict[str, Any]


@dataclass
class Operator:
    """One client, which sets and removes overrides, and what it was told.

    `known` has the reason of the override on each server ("": none) that the agent has
    acknowledged. `unanswered` has the last one that it did not acknowledge before it was killed.
    """

    socket: Path
    random: Random
    known: dict[str, str] = field(default_factory=lambda: dict.fromkeys(OVERRIDDEN, ""))
    unanswered: dict[str, str] = field(default_factory=dict)
    history: Answer | None = None
    acknowledged: int = 0

    def act(self) -> None:
        """Change one override, and read the newest change of a verdict."""
        server = self.random.choice(OVERRIDDEN)
        reason = "" if self.known[server] else f"{self.random.random()}"
        self.unanswered = {server: reason}
        request = (
            OverrideRequest(
                server=server, action="drain", seconds=3600.0, reason=reason, force=True
            )
            if reason
            else RemoveOverrideRequest(server)
        )
        send_request(self.socket, request, 5.0)
        self.known[server], self.unanswered = reason, {}
        self.acknowledged += 1
        changes = send_request(self.socket, HistoryRequest(limit=1), 5.0)["changes"]
        self.history = changes[0] if changes else None

    def compare(self, overrides: Answer) -> None:
        """Check the overrides of an agent that was started again, and continue from there."""
        for server in OVERRIDDEN:
            found = overrides[server]["reason"] if server in overrides else ""
            expected = {self.known[server], self.unanswered.get(server, self.known[server])}
            assert found in expected, f"{server}: {found!r} in place of {expected}"
            self.known[server] = found
        self.unanswered = {}


@contextmanager
def acting(operator: Operator) -> Iterator[None]:
    """Let an operator act in a thread until the block ends, or the agent."""
    stop = Event()

    def act() -> None:
        while not stop.is_set():
            try:
                operator.act()
            except AgentError:  # it was killed
                return

    thread = Thread(target=act)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(30.0)


def fill(path: Path) -> None:
    """Write a history that is full, so that with each change the oldest are deleted."""
    path.parent.mkdir(mode=0o750)
    verdict = {"server": HEALTHY[0], "in_service": True, "reasons": []}
    document = json.dumps({"at": "", "verdict": verdict, "padding": "x" * 3000}).encode()
    room = Room(HISTORY_BYTES)
    with closing(history_tables.open_history(path, HISTORY_BYTES)) as connection:
        for _ in range(12):
            with connection:
                rows = [(1e9, HEALTHY[0], document)] * 100
                room.for_changes(connection, [len(document)] * len(rows), 2e9)
                history_tables.add_changes(connection, rows)


def status(agent: RunningAgent) -> Answer | None:
    try:
        found = send_request(agent.directory / "run" / "agent.sock", StatusRequest(), 2.0)
    except AgentError:
        return None
    return found if len(found["verdicts"]) == len(agent.cluster.nodes) else None


def kill_at(agent: RunningAgent, operator: Operator, moment: str, seconds: float) -> None:
    """Start the agent, and kill it so many seconds after the beginning of what is to be hit."""
    agent.program.launch()
    if moment == "start":
        time.sleep(2 * seconds)
        agent.kill()
        return
    wait.until(lambda: status(agent), 20.0, f"no verdicts: {agent.program.log_tail()}")
    operator.compare((status(agent) or {})["overrides"])
    if moment == "changes":
        time.sleep(seconds / 2)  # rounds and their files alone
    with acting(operator):
        if moment == "reload":
            time.sleep(seconds / 2)
            agent.program.send(signal.SIGHUP)
            time.sleep(seconds / 10)
        else:
            time.sleep(seconds)
        agent.kill()


def check_files(agent: RunningAgent, operator: Operator) -> None:
    """Check every file of an agent that does not run: it is whole, and holds what was told."""
    state = agent.directory / "state"
    assert load_state(state_path(state), boot_seconds()).problem == ""
    assert load_kept(kept_path(state)).problem == ""
    for path in (agent.directory / "run" / "verdicts" / "c").glob("ldap*"):
        line = path.read_text()
        assert VERDICT.fullmatch(line), line
        if f"c/{path.name}" in HEALTHY:
            assert line.split()[1] == "0", line
    assert not [*state.glob("*.broken-*")]
    copies = agent.directory / "copies"
    shutil.rmtree(copies, ignore_errors=True)
    copies.mkdir()
    for path in state.glob("history.sqlite3*"):
        shutil.copy(path, copies)
    with closing(sqlite3.connect(copies / "history.sqlite3")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        rows = connection.execute("SELECT document FROM change ORDER BY id").fetchall()
    changes = [json.loads(document) for (document,) in rows]
    assert operator.history is None or operator.history in changes
    assert not [
        each
        for each in changes
        if each["verdict"]["server"] in HEALTHY and not each["verdict"]["in_service"]
    ]


def test_an_agent_that_is_killed_at_any_moment_loses_nothing(
    cluster: Cluster, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    kills, seed = request.config.getoption("--kills"), request.config.getoption("--kills-seed")
    random, killed = Random(seed), Counter[str]()  # noqa: S311  not for a secret
    fill(tmp_path / "state" / "history.sqlite3")
    with RunningAgent(cluster, tmp_path, more=", history: {megabytes: 4}") as agent:
        operator = Operator(tmp_path / "run" / "agent.sock", random)
        agent.kill()
        for number in range(kills):
            moment = MOMENTS[number % len(MOMENTS)]
            kill_at(agent, operator, moment, random.uniform(0.0, LONGEST_SECONDS))
            check_files(agent, operator)
            killed[moment] += 1
        agent.start()
        last = status(agent)
        assert last is not None
        operator.compare(last["overrides"])
        in_service = {each["server"]: each["in_service"] for each in last["verdicts"]}
        unfinished = [each for each in tmp_path.rglob(".*.new") if "verdicts" not in each.parts]
        assert agent.stop() == 0

    told = " ".join(f"{moment}={number}" for moment, number in killed.items())
    print(f"\nkilled {told}, acknowledged overrides={operator.acknowledged}, lost=0")  # noqa: T201
    assert {each: in_service[each] for each in HEALTHY} == dict.fromkeys(HEALTHY, True)
    assert not unfinished
    assert "level=error" not in agent.log()
    assert "Traceback" not in agent.log()
