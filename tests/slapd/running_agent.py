"""A real `ldaphealth agent` beside the demo cluster, and what keepalived's script would answer.

The tests of the agent start one each; it ends with them.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from demo.cluster import Cluster
from demo.running_program import RunningProgram
from demo.tree import CANARIES, CHECK_DN, PEOPLE, SUFFIX

SCRIPT = Path(__file__).parents[2] / "keepalived" / "ldaphealth-check"
PROGRAM = Path(sys.executable).with_name("ldaphealth")
INTERVAL_SECONDS = 0.5
DEADLINE_SECONDS = 1.0
CONFIG = """\
agent: {{runtime_directory: "{run}", state_directory: "{state}"{more}}}
credentials: {{probe: {{dn: "{dn}", password_file: "{password_file}"}}{more_credentials}}}
clusters:
  c:
    suffix: {suffix}
    credentials: probe
    interval_seconds: {interval}
    deadline_seconds: {deadline}
    second_look_seconds: 0.2
    settle: {{min_out_seconds: 0.5, ramp_seconds: 1}}
    servers: {{{servers}}}
    checks:
      search: {{base: "{people}", scope: one, entries: {{critical: "10:"}}}}
      write: {{container: "{canaries}", agent: agent}}
"""


def environment_of(directory: Path) -> dict[str, str]:
    """Return where programs find the configuration and the socket of an agent there.

    What they remember of refused passwords without an agent is of no other test (TMPDIR).
    """
    return os.environ | {
        "TMPDIR": str(directory),
        "LDAPHEALTH_CONFIG": str(directory / "ldaphealth.yaml"),
        "LDAPHEALTH_SOCKET": str(directory / "run" / "agent.sock"),
    }


def run_program(
    environment: Mapping[str, str], *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Run the program as a person does."""
    return subprocess.run(
        [PROGRAM, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def run_script(environment: Mapping[str, str], server: str, *options: str) -> int:
    """Return what keepalived's script answers on a server, by its ID."""
    return subprocess.run(
        ["/bin/sh", SCRIPT, *options, server],
        env=environment,
        capture_output=True,
        timeout=30,
        check=False,
    ).returncode


@dataclass
class RunningAgent:
    """One agent process with directories of its own below `directory`; a context manager."""

    cluster: Cluster
    directory: Path
    interval_seconds: float = INTERVAL_SECONDS
    deadline_seconds: float = DEADLINE_SECONDS
    more: str = ""  # settings of the agent, beginning with a comma
    more_checks: str = ""
    more_credentials: str = ""  # beginning with a comma
    program: RunningProgram = field(init=False)

    def __post_init__(self) -> None:
        log = self.directory / "log"
        self.program = RunningProgram([PROGRAM, "agent"], log, self.environment, stop_seconds=5.0)

    @property
    def config(self) -> Path:
        """Return its configuration file."""
        return self.directory / "ldaphealth.yaml"

    def __enter__(self) -> Self:
        self.configure()
        assert self.run("canary", "apply", "c").returncode == 0
        self.cluster.wait_until_level()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def configure(self, servers: int | None = None) -> None:
        """Write a configuration with so many of the nodes."""
        nodes = self.cluster.nodes[:servers]
        self.config.write_text(
            CONFIG.format(
                run=self.directory / "run",
                state=self.directory / "state",
                dn=CHECK_DN,
                password_file=self.cluster.accounts.check.password_file,
                suffix=SUFFIX,
                interval=self.interval_seconds,
                deadline=self.deadline_seconds,
                people=PEOPLE,
                servers=", ".join(f"{node.name}: '{node.uri}'" for node in nodes),
                canaries=CANARIES,
                more=self.more,
                more_credentials=self.more_credentials,
            )
            + f"      {self.more_checks}\n"
        )

    @property
    def environment(self) -> Mapping[str, str]:
        """Return where the program and the script find this agent."""
        return environment_of(self.directory) | {
            "LDAPHEALTH_VERDICTS": str(self.directory / "run" / "verdicts"),
            "LDAPHEALTH_OVERRIDES": str(self.directory / "state" / "overrides"),
            "LDAPHEALTH": str(PROGRAM),
            "LDAPHEALTH_SECONDS": "5",
        }

    def start(self) -> None:
        """Start the agent, and wait until it has a verdict on every server."""
        self.program.start(self._is_ready, 20.0, "no verdicts")

    def stop(self) -> int:
        """Ask it to end, as a service manager does; return its exit status."""
        status = self.program.stop()
        assert status is not None
        assert status != -signal.SIGKILL, self.log()
        return status

    def kill(self) -> None:
        """End it as the kernel does when memory runs out."""
        self.program.kill()

    def reload(self) -> None:
        """Have it read its configuration again."""
        self.program.send(signal.SIGHUP)

    def log(self) -> str:
        """Return what it has logged."""
        return self.program.log()

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the program as a person does."""
        return run_program(self.environment, *arguments)

    def script(self, server: str, *options: str) -> int:
        """Return what keepalived's script answers."""
        return run_script(self.environment, f"c/{server}", *options)

    def script_answers(self) -> dict[str, int]:
        """Return the script's answers on all nodes."""
        return {node.name: self.script(node.name) for node in self.cluster.nodes}

    def status(self) -> dict[str, Any]:
        """Return the status document."""
        found: dict[str, Any] = json.loads(self.run("status", "--format", "json").stdout)
        return found

    def verdict(self, server: str) -> dict[str, Any]:
        """Return the verdict on one node."""
        return next(each for each in self.status()["verdicts"] if each["server"] == f"c/{server}")

    def changes(self, server: str) -> list[dict[str, Any]]:
        """Return the verdicts on one node in the history, newest first."""
        found = json.loads(self.run("history", f"c/{server}", "--format", "json").stdout)
        return [each["verdict"] for each in found]

    def wait_for(self, server: str, answer: int, seconds: float) -> None:
        """Wait until the script answers so on one node."""
        self.program.wait_until(
            lambda: self.script(server) == answer, seconds, f"{server} is not {answer}"
        )

    def _is_ready(self) -> bool:
        answer = self.run("status", "--format", "json").stdout
        return bool(answer) and len(json.loads(answer)["verdicts"]) == len(self.cluster.nodes)
