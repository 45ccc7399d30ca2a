"""A real `ldaphealth agent` of one server that does not exist, from its first instruction on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from demo import wait

CONFIGURATION = """\
clusters:
  c:
    interval_seconds: 0.2
    deadline_seconds: 0.1
    servers: {{s: "ldap://127.0.0.1:1"}}
agent:
  runtime_directory: {directory}/run
  state_directory: {directory}/state
"""
START_SECONDS = 20.0


class Started:
    """An agent from its first instruction on, and its log."""

    def __init__(
        self, directory: Path, more: str = "", environment: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self.config = directory / "ldaphealth.yaml"
        self.config.write_text(CONFIGURATION.format(directory=directory) + more)
        path = directory / "log"
        with path.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "ldaphealth", "agent", "--config", str(self.config)],
                stdin=subprocess.DEVNULL,
                stderr=log,
                env={**os.environ, **environment},
            )
        self._log, self._read = path.open(encoding="utf-8"), ""

    @property
    def log(self) -> str:
        """Return all lines."""
        self._read += self._log.read()
        return self._read

    @property
    def has_entered(self) -> bool:
        """Return whether the entry point keeps SIGHUP, or the agent handles it: proc(5)."""
        try:
            status = Path(f"/proc/{self.process.pid}/status").read_text()
        except FileNotFoundError:
            return False
        masks = dict(line.split(":", 1) for line in status.splitlines() if line.startswith("Sig"))
        safe = int(masks["SigBlk"], 16) | int(masks["SigCgt"], 16)
        return bool(safe >> (signal.SIGHUP - 1) & 1)

    def count(self, event: str) -> int:
        """Return how many lines have this event."""
        return self.log.count(f"event={event}")

    def wait_for(self, event: str, times: int = 1) -> None:
        """Wait until it was logged so often."""
        wait.until(lambda: self.count(event) >= times, START_SECONDS, f"no {event}: {self.log}")

    def end(self) -> int:
        """Stop it, and return its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(START_SECONDS)


@contextmanager
def started(
    directory: Path, more: str = "", environment: Mapping[str, str] = MappingProxyType({})
) -> Iterator[Started]:
    """Start one with more settings of the agent; it ends with the block."""
    agent = Started(directory, more, environment)
    try:
        yield agent
    finally:
        agent.process.kill()
        agent.process.wait()
        agent._log.close()
