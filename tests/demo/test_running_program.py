"""A program is waited for with its log at hand, and ended whatever state it is in."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from demo import wait
from demo.running_program import RunningProgram, StartError

PATIENCE_SECONDS = 10.0
BACKGROUND = "sleep 60 & echo $!; wait"


def shell(directory: Path, script: str, *, stop_seconds: float = 0.3) -> RunningProgram:
    """Return a shell in a session of its own that runs the script."""
    log = directory / "log"
    return RunningProgram(
        ["/bin/sh", "-c", script], log, own_session=True, stop_seconds=stop_seconds
    )


def logs(program: RunningProgram) -> bool:
    """Return whether a whole line is in the log."""
    return program.log().endswith("\n")


def exists(pid: int) -> bool:
    """Return whether a process runs; a zombie does not."""
    path = Path(f"/proc/{pid}/stat")
    return path.exists() and path.read_text().rpartition(")")[2].split()[0] != "Z"


def test_it_runs_while_the_block_lasts_and_its_output_is_in_the_log(tmp_path: Path) -> None:
    program = shell(tmp_path, "echo $GREETING >&2; exec sleep 60")
    program.environment = os.environ | {"GREETING": "hello"}
    with program:
        program.wait_until_ready(lambda: logs(program), PATIENCE_SECONDS, "no greeting")
        assert program.pid
        assert program.log() == "hello\n"

    assert not program.pid
    assert program.status == -signal.SIGTERM


def test_the_error_of_one_that_ends_at_its_start_holds_the_end_of_its_log(tmp_path: Path) -> None:
    program = shell(tmp_path, "echo the port is taken; exit 3")
    with pytest.raises(StartError, match="no answer, it ended at the start: the port is taken"):
        program.start(lambda: False, PATIENCE_SECONDS, "no answer")

    assert program.status == 3


def test_one_that_is_not_ready_in_time_is_ended(tmp_path: Path) -> None:
    program = shell(tmp_path, "echo wait for me; exec sleep 60")
    with pytest.raises(StartError, match=r"after 0\.3 s no answer: wait for me"):
        program.start(lambda: False, 0.3, "no answer")

    assert program.status == -signal.SIGKILL


def test_the_error_of_a_condition_that_does_not_come_true_holds_the_end_of_the_log(
    tmp_path: Path,
) -> None:
    with shell(tmp_path, "echo I am idle; exec sleep 60") as program:
        program.wait_until(lambda: logs(program), PATIENCE_SECONDS, "it logs nothing")
        with pytest.raises(TimeoutError, match="it does nothing: I am idle"):
            program.wait_until(lambda: False, 0.1, "it does nothing")


@pytest.mark.parametrize(
    ("script", "status"),
    [
        pytest.param("trap 'exit 7' TERM; echo; while :; do sleep 0.05; done", 7, id="heeds"),
        pytest.param("trap '' TERM; echo; while :; do sleep 0.05; done", -9, id="ignores"),
    ],
)
def test_sigterm_comes_first_and_sigkill_for_one_that(
    tmp_path: Path, script: str, status: int
) -> None:
    program = shell(tmp_path, script, stop_seconds=2.0)
    program.start(lambda: logs(program), PATIENCE_SECONDS, "it logs nothing")

    assert program.stop() == status


def test_what_it_started_ends_with_it(tmp_path: Path) -> None:
    with shell(tmp_path, BACKGROUND) as program:
        program.wait_until(lambda: logs(program), PATIENCE_SECONDS, "it logs nothing")
        child = int(program.log())
        assert exists(child)

    wait.until(lambda: not exists(child), PATIENCE_SECONDS, "its child runs")


def test_what_it_started_ends_even_if_it_ended_itself_before(tmp_path: Path) -> None:
    with shell(tmp_path, BACKGROUND.replace("wait", "exit 0")) as program:
        wait.until(program.has_ended, PATIENCE_SECONDS, "it runs")
        child = int(program.log())
        assert exists(child)

    wait.until(lambda: not exists(child), PATIENCE_SECONDS, "its child runs")
    assert program.status == 0


def test_one_that_is_frozen_is_asked_to_end_as_well(tmp_path: Path) -> None:
    program = shell(tmp_path, "echo; exec sleep 60", stop_seconds=PATIENCE_SECONDS)
    program.start(lambda: logs(program), PATIENCE_SECONDS, "it logs nothing")
    program.send(signal.SIGSTOP)

    assert program.stop() == -signal.SIGTERM


def test_it_starts_again_and_its_log_goes_on(tmp_path: Path) -> None:
    program = shell(tmp_path, "echo $$; exec sleep 60")
    pids = []
    for _ in range(2):
        program.start(lambda: bool(program.log_tail()), PATIENCE_SECONDS, "it logs nothing")
        pids.append(program.log_tail())
        program.kill()

    assert program.log().split() == pids
    assert len(set(pids)) == 2


def test_one_that_never_started_is_ended_without_effect(tmp_path: Path) -> None:
    program = shell(tmp_path, "exit 0")
    program.send(signal.SIGTERM)

    assert (program.stop(), program.has_ended(), program.log()) == (None, False, "")
