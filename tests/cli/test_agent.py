"""`ldaphealth agent` cannot start: one line on standard error with the cause, and status 3."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

CONFIGURATION = """\
clusters:
  c:
    servers: {{s: "ldap://127.0.0.1:1"}}
agent:
  runtime_directory: {directory}/run
  state_directory: {directory}/state
  socket_group: {group}
"""
TIMEOUT_SECONDS = 20.0


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "ldaphealth.yaml"


def refused(config: Path, group: str) -> str:
    """Return the line after the log; the agent must end by itself with status 3."""
    config.write_text(CONFIGURATION.format(directory=config.parent, group=group))
    found = subprocess.run(
        [sys.executable, "-X", "dev", "-m", "ldaphealth", "agent", "--config", str(config)],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert (found.returncode, found.stdout) == (3, "")
    lines = [line for line in found.stderr.splitlines() if line.startswith("ldaphealth: ")]
    assert "ResourceWarning" not in found.stderr
    assert "Traceback" not in found.stderr
    assert len(lines) == 1, found.stderr
    return lines[0]


def test_an_unknown_group_is_reported_by_its_key_and_leaves_no_socket(config: Path) -> None:
    line = refused(config, "nosuchgroup")

    assert line == "ldaphealth: agent.socket_group: there is no group 'nosuchgroup'"
    assert not (config.parent / "run" / "agent.sock").exists()


def test_a_place_for_the_socket_that_is_taken_is_reported(config: Path) -> None:
    (config.parent / "run" / "agent.sock").mkdir(parents=True)

    line = refused(config, "''")

    assert line.startswith(f"ldaphealth: {config.parent}/run/agent.sock: Is a directory")


def test_a_directory_that_cannot_be_made_is_reported_with_the_keys_that_name_it(
    config: Path,
) -> None:
    (config.parent / "run").write_text("a file")

    line = refused(config, "''")

    assert line == (
        f"ldaphealth: {config.parent}/run: Not a directory; "
        "agent.runtime_directory and agent.state_directory name its directories"
    )


def test_it_ends_with_the_terminal_that_it_was_started_from(config: Path) -> None:
    config.write_text(CONFIGURATION.format(directory=config.parent, group="''"))
    ours, theirs = pty.openpty()
    command = [
        "setsid",
        "--ctty",
        sys.executable,
        "-m",
        "ldaphealth",
        "agent",
        "--config",
        str(config),
    ]
    with subprocess.Popen(command, stdin=theirs, stderr=subprocess.PIPE, text=True) as process:
        os.close(theirs)
        assert process.stderr is not None
        log = iter(process.stderr)
        limit = threading.Timer(TIMEOUT_SECONDS, process.kill)
        limit.start()
        try:
            assert any("event=started" in line for line in log)
            process.send_signal(signal.SIGHUP)
            assert any("event=reloaded" in line for line in log)

            os.close(ours)
            assert process.wait() == 0
        finally:
            limit.cancel()
            process.kill()
