"""`ldaphealth agent` and its signals: at its start, while it reloads, and when it ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from statistics import median
from urllib.request import urlopen

import psutil
import pytest

from demo import ports, wait
from demo.certificates import Authority
from tests.cli.started_agent import CONFIGURATION, START_SECONDS, Started, started

ROOT = Path(__file__).parents[2]
HOST = "127.0.0.1"
STEPS = 8  # moments of a start at which a signal comes
MOST_MIB = 1.0  # that memory may grow in the second half of the reloads
MOST_MIB_OF_MOMENT = 8.0  # above that


def start_seconds(directory: Path) -> float:
    """Return how long a start takes from the entry point on."""
    with started(directory) as agent:
        wait.until(lambda: agent.has_entered, START_SECONDS, "it does not enter", 0.001)
        began = time.monotonic()
        agent.wait_for("started")
        return time.monotonic() - began


def test_a_signal_at_any_moment_of_the_start(tmp_path: Path) -> None:
    whole = start_seconds(tmp_path)
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
        for step in range(STEPS):
            with started(tmp_path) as agent:
                wait.until(lambda: agent.has_entered, START_SECONDS, "no entry", 0.001)
                time.sleep(whole * step / STEPS)
                agent.process.send_signal(number)
                if number == signal.SIGHUP:
                    agent.wait_for("started")
                    agent.wait_for("reloaded")
                    assert agent.end() == 0
                else:
                    assert agent.process.wait(START_SECONDS) == 0
                assert "Traceback" not in agent.log


def test_when_the_watchdog_ends_it_the_log_has_where_its_threads_stood(tmp_path: Path) -> None:
    unit = (ROOT / "examples" / "ldaphealth-agent.service").read_text()
    environment = dict(re.findall("^Environment=(.*?)=(.*)$", unit, re.MULTILINE))
    with started(tmp_path, environment=environment) as agent:
        agent.wait_for("started")
        agent.process.send_signal(signal.SIGABRT)  # WatchdogSignal= of systemd.service(5)
        assert agent.process.wait(START_SECONDS) == -signal.SIGABRT

        stacks = agent.log.partition("Fatal Python error: Aborted")[2]
        assert "in run_agent" in stacks, "the main thread"
        assert "event_loop.py" in stacks, "the thread of the rounds"


def test_a_log_that_nobody_reads_holds_up_no_verdict_and_no_end(tmp_path: Path) -> None:
    config = tmp_path / "ldaphealth.yaml"
    config.write_text(CONFIGURATION.format(directory=tmp_path))
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writer, b"x" * 4096)
    os.set_blocking(writer, True)
    command = [sys.executable, "-m", "ldaphealth", "agent", "--debug", "--config", str(config)]
    agent = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=writer)
    os.close(writer)
    try:
        verdict = tmp_path / "run" / "verdicts" / "c" / "s"
        wait.until(verdict.exists, START_SECONDS, "no verdict")
        first = verdict.read_text()
        wait.until(lambda: verdict.read_text() != first, START_SECONDS, "it is not renewed")
        agent.send_signal(signal.SIGTERM)
        assert agent.wait(START_SECONDS) == 0
    finally:
        agent.kill()
        agent.wait()
        os.close(reader)


def test_a_flood_of_signals_makes_few_reloads_and_ends_nothing(tmp_path: Path) -> None:
    with started(tmp_path) as agent:
        agent.wait_for("started")
        for _ in range(5000):
            agent.process.send_signal(signal.SIGHUP)
        agent.wait_for("reloaded")
        flooded = agent.count("reloaded")
        time.sleep(0.5)
        assert agent.count("reloaded") <= flooded + 2, "no reloads are queued"

        for _ in range(200):
            agent.process.send_signal(signal.SIGHUP)
        agent.process.send_signal(signal.SIGTERM)
        while agent.process.poll() is None:
            agent.process.send_signal(signal.SIGHUP)
            time.sleep(0.001)
        assert agent.process.returncode == 0
        assert "Traceback" not in agent.log


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"clusters: [", "a value was expected", id="not YAML"),
        pytest.param(b"\x00" * 4096, "an octet that UTF-8", id="zeros"),
        pytest.param(None, "is a FIFO", id="a FIFO"),
        pytest.param(b"clusters: {}", "clusters", id="no clusters"),
    ],
)
def test_a_configuration_that_is_refused_changes_nothing(
    tmp_path: Path, content: bytes | None, words: str
) -> None:
    with started(tmp_path) as agent:
        agent.wait_for("started")
        good = agent.config.read_bytes()
        agent.config.unlink()
        if content is None:
            os.mkfifo(agent.config)
        else:
            agent.config.write_bytes(content)
        agent.process.send_signal(signal.SIGHUP)
        agent.wait_for('"not reloaded')
        assert words in agent.log
        assert "Traceback" not in agent.log

        agent.config.unlink()
        agent.config.write_bytes(good)
        agent.process.send_signal(signal.SIGHUP)
        agent.wait_for("reloaded")
        assert agent.end() == 0


def test_a_reload_that_failed_is_in_the_status_and_the_metrics(tmp_path: Path) -> None:
    reserved = ports.reserve(1, (HOST,))
    address = f"{HOST}:{reserved.ports[0]}"
    reserved.release()

    def shown(agent: Started) -> tuple[str, bool]:
        """Return what `status` says, and whether the metrics say that the reload succeeded."""
        with urlopen(f"http://{address}/metrics", timeout=START_SECONDS) as answer:
            metrics = answer.read().decode().splitlines()
        status = subprocess.run(
            [sys.executable, "-m", "ldaphealth", "status"],
            env=os.environ | {"LDAPHEALTH_CONFIG": str(agent.config), "COLUMNS": "300"},
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
            check=False,
        )
        return status.stdout, "ldaphealth_config_last_reload_successful 1.0" in metrics

    with started(tmp_path, f"  http: {{listen: {address}}}\n") as agent:
        agent.wait_for("started")
        good = agent.config.read_text()
        agent.config.write_text(good.replace("deadline_seconds", "deadlin_seconds"))
        agent.process.send_signal(signal.SIGHUP)
        agent.wait_for('"not reloaded')
        text, succeeded = shown(agent)
        assert "The last reload failed, and the configuration from before is in use: " in text
        assert "deadlin_seconds: unknown key; did you mean deadline_seconds?" in text
        assert not succeeded

        agent.config.write_text(good)
        agent.process.send_signal(signal.SIGHUP)
        agent.wait_for("reloaded")
        text, succeeded = shown(agent)
        assert "reload" not in text
        assert succeeded
        assert agent.end() == 0


def test_an_agent_says_that_the_one_before_it_was_killed(tmp_path: Path) -> None:
    words = "the agent before this one was killed, or the machine stopped"
    with started(tmp_path) as first:
        first.wait_for("started")
        second = subprocess.run(
            [sys.executable, "-m", "ldaphealth", "agent", "--config", str(first.config)],
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
            check=False,
        )
        assert words not in first.log
        first.process.kill()
    with started(tmp_path) as after:
        after.wait_for("started")
        assert words in after.log
        assert f"pid={first.process.pid}" in after.log
        assert after.end() == 0
    with started(tmp_path) as last:
        last.wait_for("started")
        assert words not in last.log

    assert second.returncode == 3
    assert f"run (process {first.process.pid}); " in second.stderr


def test_many_reloads_leave_memory_as_it_is(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    reloads = pytestconfig.getoption("reloads")
    reserved = ports.reserve(1, (HOST,))
    issued = Authority(tmp_path).issue("agent", (HOST,))
    files = f'certificate_file: "{issued.chain}", key_file: "{issued.key}"'
    http = f'  http: {{listen: "{HOST}:{reserved.ports[0]}", {files}}}\n'
    reserved.release()
    with started(tmp_path, http) as agent:
        agent.wait_for("started")
        process = psutil.Process(agent.process.pid)
        seen: list[float] = []
        for number in range(reloads):
            agent.process.send_signal(signal.SIGHUP)
            wait.until(lambda: agent.count("reloaded") > number, START_SECONDS, "none", 0.002)  # noqa: B023
            seen.append(process.memory_info().rss / 2**20)
        # Medians: a reload needs memory for two configurations for a moment.
        half, tenth = reloads // 2, reloads // 10
        middle, end = median(seen[half : half + tenth]), median(seen[-tenth:])
        mib = " ".join(f"{each:.1f}" for each in (seen[0], middle, end, max(seen)))
        print(f"{reloads} reloads: {mib} MiB at first, in the middle, at the end, at most")  # noqa: T201
        assert end - middle < MOST_MIB
        assert max(seen) - middle < MOST_MIB_OF_MOMENT
        assert process.num_threads() < 40
