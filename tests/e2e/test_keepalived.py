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

SECONDS = 280.0  # it takes 90 s on a host that is not busy
CHECK = "/run/e2e/ldaphealth-check --dynamic example/{server}"
# The guest needs a second of CPU for each one-shot check, of which there are four in that time.
WAYS = {
    "one-shot": ["--check", CHECK, "--delay-loop", "8"],
    "agent": ["--check", CHECK, "--delay-loop", "5", "--daemon", "ldaphealth agent"],
}

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
    fault, check = measured["fault"], measured["check"]
    if check == "TCP_CHECK" and fault in {"freeze", "cut"}:
        wrong = {
            "TCP_CHECK saw it": measured["out_after_seconds"] is not None,
            "clients noticed nothing": measured["errors"] + measured["stale"] == 0,
        }
    else:
        wrong = {
            "it stayed in service": measured["out_after_seconds"] is None,
            "it did not come back": measured["full_after_seconds"] is None,
            "clients were sent to it when it was out": measured["bad_after_out"] > 0,
        }
    if way == "one-shot" and measured["unchecked"] > 0:
        wrong = {}  # the guest was too slow for it, and it failed open, as it says it does
    wrong["healthy servers suffered"] = bool(measured["others_touched"])
    if way == "agent" and fault != "no daemon":
        wrong["the script got no answer"] = measured["unchecked"] > 0
    return [f"{way}, {fault}, {check}: {what}" for what, is_so in wrong.items() if is_so]


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
