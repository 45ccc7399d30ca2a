"""Injects faults into real clusters and measures what each checker makes of them.

`make bench-faults` runs the whole table and writes docs/evidence.md. `--list` shows the faults.
"""

from __future__ import annotations

import argparse
import multiprocessing
import platform
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from datetime import UTC, datetime
from pathlib import Path

from bench.cpu import CHECK_LDAP
from bench.faults import report, trial
from bench.faults.checkers import CONFIGURATIONS, PROGRAM
from bench.faults.fault import Fault
from bench.faults.report import Run
from bench.faults.scoring import Trial
from bench.faults.table import FAULTS
from demo.programs import find

STRICTER = "agent, stricter"
OF_THE_TABLE = {fault.name: fault for fault in FAULTS}


def main() -> None:
    wanted = _arguments()
    faults = [OF_THE_TABLE[name] for name in wanted.only] if wanted.only else list(FAULTS)
    if wanted.list:
        for fault in faults:
            print(f"{fault.kind.value:9} {fault.name:45} {fault.injected}")
        return
    began = time.monotonic()
    trials, failed = _run(faults, wanted.interval, wanted.side_by_side)
    _progress(f"all done after {time.monotonic() - began:.0f} s")
    run = Run(
        command=" ".join(["python -m bench.faults", *sys.argv[1:]]),
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        interval_seconds=wanted.interval,
        versions=_versions(),
        checkers=trial.CHECKERS,
        faults=faults,
        trials=trials,
        failed=failed,
        settings=CONFIGURATIONS[STRICTER],
    )
    if wanted.write:
        wanted.write.write_text(report.document(run), encoding="utf-8")
    print(report.as_json(run) if wanted.format == "json" else _text(run))
    for name, why in run.not_counted().items():
        _progress(f"not counted: {name}: {why}")
    sys.exit(1 if run.not_counted() else 0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m bench.faults", description=__doc__.splitlines()[0] if __doc__ else ""
    )
    parser.add_argument("--list", action="store_true", help="show the faults and run none")
    parser.add_argument("--only", type=_names, metavar="NAMES", help="faults, with ; between them")
    parser.add_argument("--interval", type=float, default=2.0, help="seconds between two looks")
    parser.add_argument("--side-by-side", type=int, default=8, help="clusters at the same time")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the document, too")
    return parser.parse_args()


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(";")]
    unknown = [name for name in names if name not in OF_THE_TABLE]
    if unknown:
        raise argparse.ArgumentTypeError(f"no such fault: {', '.join(unknown)}; see --list")
    return names


def _run(
    faults: Sequence[Fault], interval_seconds: float, side_by_side: int
) -> tuple[dict[str, Trial], dict[str, str]]:
    """Run all trials, the long ones first; one that does not come about is tried once more."""
    trials: dict[str, Trial] = {}
    failed: dict[str, str] = {}
    ordered = sorted(faults, key=lambda fault: -fault.hold_seconds)
    with ThreadPoolExecutor(side_by_side) as pool:
        for seed in (1, 1001):
            left = [
                fault
                for fault in ordered
                if fault.name not in trials or trials[fault.name].not_shown
            ]
            running: dict[Future[Trial], Fault] = {
                pool.submit(_in_a_process, fault.name, interval_seconds, seed + number): fault
                for number, fault in enumerate(left)
            }
            for done, future in enumerate(as_completed(running), 1):
                _collect(future, running[future].name, trials, failed)
                _progress(f"{done} of {len(running)}: {running[future].name}")
    return trials, failed


def _in_a_process(name: str, interval_seconds: float, seed: int) -> Trial:
    """Run a trial in a process of its own, so that trials share nothing.

    It is spawned: a forked one would have half of the threads that there are.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as process:
        return process.submit(trial.measure, name, interval_seconds, seed).result()


def _collect(
    future: Future[Trial], name: str, trials: dict[str, Trial], failed: dict[str, str]
) -> None:
    try:
        trials[name] = future.result()
    except Exception as error:
        failed[name] = f"{type(error).__name__}: {error}".partition("\n")[0]
        _progress(f"{name} failed: {failed[name]}")
    else:
        failed.pop(name, None)
        if trials[name].not_shown:
            _progress(f"{name} was not shown: {trials[name].not_shown}")


def _text(run: Run) -> str:
    return f"{report.by_fault(run)}\n{report.misses(run)}\n{report.totals(run)}"


def _versions() -> dict[str, str]:
    return {
        "ldaphealth": _version([*PROGRAM, "--version"]),
        "its commit": _commit(),
        "slapd": _version([str(find("slapd")), "-VV"]),
        "check_ldap": _version([CHECK_LDAP, "--version"]),
        "Python": platform.python_version(),
        "machine": f"{platform.system()} {platform.release()}, {multiprocessing.cpu_count()} CPUs",
    }


def _commit() -> str:
    """Return the commit that is measured, "" outside of a checkout."""
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _version(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    found = re.search(r"\d+\.\d+[\w.]*", done.stdout + done.stderr)
    return found[0] if found else "unknown"


def _progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
