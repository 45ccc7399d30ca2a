"""Runs a program during a test: starts it with a log, waits until it is ready, always ends it.

The servers and agents of the demo, the tests and bench/ are built on it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from demo import wait

LOG_TAIL_BYTES = 2000


class StartError(Exception):
    """A program did not start; the text holds the end of its log."""


@dataclass(eq=False)
class RunningProgram:
    """One process, whose output is appended to a log; a context manager starts and ends it.

    - `environment` is its whole environment; None is the environment of this process.
    - With `own_session` (setsid(2)) a Ctrl-C at the terminal does not reach it, and `kill` ends
      all that it started and that stayed in its process group.
    - `stop_seconds` is the time between SIGTERM and SIGKILL.

    Signals go only to processes that it started: a process that has ended stays a zombie until
    `kill`, so that the kernel gives its ID to no other.
    """

    command: Sequence[str | Path]
    log_path: Path
    environment: Mapping[str, str] | None = None
    directory: Path | None = None
    own_session: bool = False
    stop_seconds: float = 10.0
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _log_begins: int = field(default=0, init=False)

    def __enter__(self) -> Self:
        """Start it without waiting until it is ready."""
        self.launch()
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.stop()

    def launch(self) -> None:
        """Start the process and return before it is ready; end the one that was started before."""
        self.kill()
        with self.log_path.open("ab") as log:
            self._log_begins = log.tell()
            self._process = subprocess.Popen(
                self.command,
                env=self.environment,
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=self.own_session,
            )

    def start(self, is_ready: Callable[[], bool], seconds: float, message: str) -> None:
        """Start the process and wait until it is ready; StartError if it is not in time."""
        self.launch()
        try:
            self.wait_until_ready(is_ready, seconds, message)
        except BaseException:
            self.kill()
            raise

    def wait_until_ready(self, is_ready: Callable[[], bool], seconds: float, message: str) -> None:
        """Wait until it is ready; StartError with the end of the log if it ends or is not ready."""
        try:
            wait.until(lambda: self.has_ended() or is_ready(), seconds, message)
        except TimeoutError as error:
            raise StartError(f"{error}: {self.log_tail()}") from error
        if self.has_ended():
            raise StartError(f"{message}, it ended at the start: {self.log_tail()}")

    def wait_until(self, condition: Callable[[], bool], seconds: float, message: str) -> None:
        """Wait until the condition holds; TimeoutError with the end of the log if it does not."""
        try:
            wait.until(condition, seconds, message)
        except TimeoutError as error:
            raise TimeoutError(f"{error}: {self.log_tail()}") from error

    @property
    def pid(self) -> int | None:
        """The process ID, or None if the process does not run."""
        return None if self._process is None or self.has_ended() else self._process.pid

    @property
    def status(self) -> int | None:
        """The exit status after `kill` or `stop`; a signal's number below zero."""
        return self._process.returncode if self._process else None

    def has_ended(self) -> bool:
        """Return whether the process has ended, by itself or by a signal."""
        if self._process is None or self._process.returncode is not None:
            return self._process is not None
        try:
            ended = os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:  # another thread has just ended it
            return True
        return ended is not None

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process, unless it has ended."""
        pid = self.pid  # once: it may end in between, and is a zombie until `kill`
        if pid is not None:
            os.kill(pid, number)

    def terminate(self) -> None:
        """Send SIGTERM without waiting; a process that is frozen continues first (SIGCONT)."""
        self.send(signal.SIGTERM)
        self.send(signal.SIGCONT)

    def stop(self) -> int | None:
        """End the process as an administrator does, or by force; return its exit status."""
        self.terminate()
        with contextlib.suppress(TimeoutError):
            wait.until(lambda: self.pid is None, self.stop_seconds, "it runs")
        self.kill()
        return self.status

    def kill(self) -> None:
        """End the process as a crash does (SIGKILL)."""
        if self._process is None or self._process.returncode is not None:
            return
        if self.own_session:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()

    def log(self) -> str:
        """Return all that it has logged."""
        return self._logged(0)

    def log_tail(self) -> str:
        """Return the end of what it has logged since its last start."""
        return self._logged(self._log_begins)[-LOG_TAIL_BYTES:].strip()

    def _logged(self, begin: int) -> str:
        with contextlib.suppress(FileNotFoundError):
            return self.log_path.read_bytes()[begin:].decode(errors="replace")
        return ""
