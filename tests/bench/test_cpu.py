"""The CPU seconds of processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from bench.cpu import process_seconds, running_seconds


def test_the_clock_of_a_process_that_runs_is_that_of_the_process_itself() -> None:
    before = time.process_time()
    seen = running_seconds(os.getpid())

    assert before <= seen <= time.process_time()


def test_a_process_that_has_ended_has_no_clock() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass

    with pytest.raises(OSError, match="No such process"):
        running_seconds(ended.pid)


def test_a_process_that_fails_is_not_measured() -> None:
    with pytest.raises(RuntimeError, match="failed; it is not measured"):
        process_seconds([sys.executable, "-c", "exit(2)"])


def test_a_process_that_does_not_end_is_killed_at_its_limit() -> None:
    with pytest.raises(RuntimeError, match="failed; it is not measured"):
        process_seconds(["/bin/sleep", "1000"], limit_seconds=0.1)
