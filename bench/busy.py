"""Runs a command while other processes keep every CPU busy.

`make check-busy` runs the tests so: none may need a quiet machine.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from demo.programs import find
from demo.running_program import RunningProgram


@contextlib.contextmanager
def busy_cpus(processes_per_cpu: int) -> Iterator[None]:
    """Keep every CPU busy in the block. They end with this process, also if it is killed."""
    command = (find("setpriv"), "--pdeathsig", "KILL", sys.executable, "-c", "while True: pass")
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
        for number in range(processes_per_cpu * (os.cpu_count() or 1)):
            stack.enter_context(RunningProgram(command, Path(directory) / f"{number}.log"))
        yield


def main() -> None:
    """Run the command, and exit with its status."""
    parser = argparse.ArgumentParser("python -m bench.busy", description=__doc__)
    parser.add_argument("--per-cpu", type=int, default=1, help="busy processes a CPU (default: 1)")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    if not options.command:
        parser.error("a command is missing")
    with busy_cpus(options.per_cpu):
        sys.exit(subprocess.run(options.command, check=False).returncode)


if __name__ == "__main__":
    main()
