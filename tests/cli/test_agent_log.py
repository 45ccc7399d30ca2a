"""The log of a real agent in trouble: one line for each kind of it, and a count."""

from __future__ import annotations

import re
import resource
import socket
import time
from contextlib import ExitStack
from pathlib import Path

import psutil

from demo import ports, wait
from ldaphealth.control.client import AgentError, send_request
from ldaphealth.control.requests import StatusRequest
from tests.cli.started_agent import START_SECONDS, started

HOST = "127.0.0.1"
TROUBLE_SECONDS = 3.0
MOST_LINES = 12
MOST_CPU = 0.5  # of one CPU, in this trouble


def put_a_file_in_place_of(directory: Path) -> None:
    """Move the directory away, again if the agent has made it meanwhile."""
    for number in range(100):
        directory.rename(directory.with_name(f"{directory.name}-{number}"))
        try:
            directory.touch(exist_ok=False)
        except FileExistsError:
            continue
        return


def answers(path: Path) -> bool:
    try:
        send_request(path, StatusRequest(), 1.0)
    except AgentError:
        return False
    return True


def counts(log: str, event: str) -> list[int]:
    """Return the counts of the lines about an event that have one."""
    lines = (line for line in log.splitlines() if f'event="{event}"' in line)
    return [int(found[1]) for line in lines if (found := re.search(r"\bcount=(\d+)", line))]


def test_directories_that_cannot_be_written_are_a_line_each_and_a_count(tmp_path: Path) -> None:
    with started(tmp_path) as agent:
        agent.wait_for("started")
        wait.until((tmp_path / "state" / "state.json").exists, START_SECONDS, "no state")
        before = len(agent.log.splitlines())
        for name in ("run/verdicts", "state"):
            put_a_file_in_place_of(tmp_path / name)
        time.sleep(TROUBLE_SECONDS)
        during = agent.log.splitlines()[before:]
        assert agent.end() == 0
        log = agent.log

    assert any('event="cannot publish"' in line for line in during)
    assert len(during) <= MOST_LINES, during
    assert sum(counts(log, "cannot publish")) >= 5


def test_without_descriptors_it_waits_and_the_log_has_few_lines(tmp_path: Path) -> None:
    reserved = ports.reserve(1, (HOST,))
    port = reserved.ports[0]
    path = tmp_path / "run" / "agent.sock"
    reserved.release()
    with started(tmp_path, f'  http: {{listen: "{HOST}:{port}"}}\n') as agent, ExitStack() as stack:
        agent.wait_for("started")
        wait.until(lambda: answers(path), START_SECONDS, "no answer")
        process = psutil.Process(agent.process.pid)
        limits = process.rlimit(resource.RLIMIT_NOFILE)
        process.rlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
        before, used = len(agent.log.splitlines()), sum(process.cpu_times()[:2])
        for _ in range(4):
            stack.enter_context(socket.create_connection((HOST, port)))
            client = stack.enter_context(socket.socket(socket.AF_UNIX))
            client.connect(str(path))
        time.sleep(TROUBLE_SECONDS)
        cpu = (sum(process.cpu_times()[:2]) - used) / TROUBLE_SECONDS
        during = agent.log.splitlines()[before:]
        process.rlimit(resource.RLIMIT_NOFILE, limits)
        wait.until(lambda: answers(path), START_SECONDS, "no answer afterwards")
        assert agent.end() == 0
        log = agent.log

    for event in ("cannot accept connections by TCP", "cannot accept connections on the socket"):
        assert any(f'event="{event}"' in line for line in during)
        assert sum(counts(log, event)) >= 5
    assert len(during) <= MOST_LINES, during
    assert cpu < MOST_CPU
