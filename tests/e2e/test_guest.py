"""The guest gives a command's status and output, and nothing of it stays behind."""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from demo import wait
from demo.running_program import RunningProgram
from tests.e2e import guest

pytestmark = pytest.mark.e2e


def run(results: Path, *command: str, seconds: float = 20.0) -> guest.Finished:
    try:
        return guest.run(command, results, modules=["ip_vs"], seconds=seconds)
    except guest.CannotRunError as error:
        pytest.skip(f"User-Mode Linux does not run here: {error}")


def kernels(results: Path) -> list[psutil.Process]:
    """Return the processes of the guest with this directory of results."""
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if str(results) in (process.info["cmdline"] or ()) and process.is_running()
    ]


def test_a_command_runs_as_root_with_ipvs_and_its_status_and_output_come_back(
    tmp_path: Path,
) -> None:
    finished = run(tmp_path, "sh", "-c", "id -u; head -1 /proc/net/ip_vs; echo oops >&2; exit 33")
    assert finished.status == 33
    assert finished.output.startswith("0\nIP Virtual Server version")
    assert finished.output.endswith("oops\n")


def test_what_is_written_stays_in_the_guest_but_for_results(tmp_path: Path) -> None:
    outside, results = tmp_path / "outside", tmp_path / "results"
    results.mkdir()
    finished = run(results, "sh", "-c", f"echo 1 >{outside}; cat {outside} >/run/results/inside")
    assert finished.status == 0, finished.output
    assert not outside.exists()
    assert (results / "inside").read_text() == "1\n"


def test_a_command_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    began = time.monotonic()
    assert run(tmp_path, "sleep", "60", seconds=1).status == 124
    assert time.monotonic() - began < 10
    assert kernels(tmp_path) == []


def test_a_guest_that_reboots_ends_without_a_status(tmp_path: Path) -> None:
    reboot = "import ctypes; ctypes.CDLL(None).reboot(0x01234567)"
    with pytest.raises(guest.GuestDiedError, match="Restarting"):
        run(tmp_path, sys.executable, "-c", reboot)
    assert kernels(tmp_path) == []


def test_guests_run_side_by_side(tmp_path: Path) -> None:
    directories = [tmp_path / str(number) for number in range(3)]
    for directory in directories:
        directory.mkdir()
    with ThreadPoolExecutor() as pool:
        jobs = [pool.submit(run, each, "sh", "-c", f"exit {each.name}") for each in directories]
        assert [job.result().status for job in jobs] == [0, 1, 2]


def test_a_guest_does_not_outlive_us_even_if_we_are_killed(tmp_path: Path) -> None:
    code = f"""
from pathlib import Path
from tests.e2e import guest
guest.run(["sh", "-c", "echo >/run/results/started; sleep 60"], Path({str(tmp_path)!r}))
"""
    runner = RunningProgram([sys.executable, "-c", code], tmp_path / "runner")
    started = tmp_path / "started"
    try:
        runner.launch()
        wait.comes_true(lambda: started.exists() or runner.has_ended(), 20.0)
        if not started.exists():
            run(tmp_path, "true")  # which skips where no guest runs
        assert kernels(tmp_path)
    finally:
        runner.kill()
    assert wait.comes_true(lambda: not kernels(tmp_path), 5.0)
