"""A real keepalived, the kernel's IPVS, four real slapds and clients, all in User-Mode Linux.

keepalived checks the same servers twice: for one virtual server with ldaphealth, for the other with
its own TCP_CHECK. The summary shows what was measured; the same is in `table.txt` of the run.

Nothing heavy may run beside: a guest has the speed of an eighth of a CPU or so, and four one-shot
checks that start at the same moment there come near to the limit of the script.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import guest

SECONDS = 480.0  # the longest takes 120 s on a host that is not busy
CHECK = "/run/e2e/ldaphealth-check --dynamic example/{server}"
AGENT = ["--daemon", "ldaphealth agent"]
# For a one-shot check the guest needs a second of CPU, and without the agent there are four of them
# in delay_loop. The longest come first, so that two CPUs have about the same to do.
WAYS = {
    "agent": ["--check", CHECK, *AGENT, "crash", "freeze", "cut", "drain", "reload", "clock steps"],
    "files": [*AGENT, "crash", "freeze", "drain", "reload"],
    "agent-away": [
        "--check",
        CHECK,
        "--delay-loop",
        "8",
        *AGENT,
        "agent stops",
        "agent hangs",
        "no agent",
    ],
    "one-shot": ["--check", CHECK, "--delay-loop", "8", "crash", "freeze", "cut"],
}
# Between the agent's verdict and keepalived with FILE_CHECK; a slow guest needs some of it.
FILE_SECONDS = 2.0

pytestmark = pytest.mark.e2e


def run(way: str, results: Path) -> list[dict[str, Any]]:
    """Run the scenario in a guest; return the measurements."""
    results.mkdir()
    finished = guest.run(
        [sys.executable, "-m", "tests.e2e.scenario", "--results", "/run/results", *WAYS[way]],
        results,
        environment={"TMPDIR": "/run"},
        modules=["ip_vs", "ip_vs_wrr"],
        seconds=SECONDS,
    )
    assert finished.status == 0, finished.output
    measurements: list[dict[str, Any]] = json.loads((results / "measurements.json").read_text())
    return measurements


def mistakes(way: str, measured: dict[str, Any]) -> list[str]:
    """Return what one check made of one fault and should not have."""
    fault, check, expected = measured["fault"], measured["check"], measured["expected"]
    noticed = measured["errors"] + measured["stale"] > 0
    if expected:
        wrong = {
            "it stayed in service": measured["out_after_seconds"] is None,
            f"it was {measured['how']}": measured["how"] not in {"", expected},
            "it was in again before it was cured": measured["in_again_seconds"] > 0,
            "it did not come back": measured["full_after_seconds"] is None,
            "clients were sent to it when it was out": measured["sent_when_out"] > 0,
            "clients noticed when it was out": measured["bad_after_out"] > 0,
        }
    else:
        wrong = {"it went out": measured["out_after_seconds"] is not None}
    if check == "TCP_CHECK" and fault in {"freeze", "cut", "reload"}:
        wrong["clients noticed nothing"] = not noticed
    elif fault in {"drain", "agent stops", "reload"}:
        wrong["clients noticed it"] = noticed
    if way in {"one-shot", "agent-away"} and measured["unchecked"] > 0:
        wrong = {}  # the guest was too slow for it, and it failed open, as it says it does
    if fault in {"drain", "reload"} and expected == "weight 0":
        wrong["the open connection broke"] = measured["held_errors"] > 0
        wrong["there was no open connection"] = measured["held"] == 0
    if (way, fault) != ("files", "reload"):
        # When it reloads, keepalived 2.2.7 adds a server that only FILE_CHECK keeps out, and
        # removes it some milliseconds later; with MISC_CHECK it does not.
        wrong["it was put back when it was out"] = measured["put_back"] > 0
    if fault == "reload":
        wrong["keepalived did not reload"] = measured["reloads"] == 0
    # When the clock steps, slapd itself may be late with its changes.
    wrong["clients had errors"] = fault == "clock steps" and measured["errors"] > 0
    wrong["healthy servers suffered"] = bool(measured["others_touched"])
    if way == "agent":
        wrong["the script got no answer"] = measured["unchecked"] > 0
    if way == "files" and check == "ldaphealth":
        wrong["keepalived was late"] = _is_late(measured)
    what = [text for text, is_so in wrong.items() if is_so]
    return [f"{way}, {fault}, {check}, {measured['server']}: {text}" for text in what]


def _is_late(measured: dict[str, Any]) -> bool:
    said, done = measured["verdict_after_seconds"], measured["out_after_seconds"]
    return said is None or done is None or done > said + FILE_SECONDS


def test_faults_behind_keepalived(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        runs = {way: pool.submit(run, way, tmp_path / way) for way in WAYS}
    try:
        measured = {way: done.result() for way, done in runs.items()}
    except guest.CannotRunError as error:
        pytest.skip(f"User-Mode Linux does not run here: {error}")
    tables = [f"{way}\n{(tmp_path / way / 'table.txt').read_text()}" for way in WAYS]
    record_property("table", "\n".join(tables))
    everything = [(way, each) for way, run_of in measured.items() for each in run_of]
    assert [text for way, each in everything for text in mistakes(way, each)] == []
