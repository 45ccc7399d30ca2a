"""The MISC_CHECK script passes answers on, and takes no trouble of ours for a dead server."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "keepalived" / "ldaphealth-check"


def program(tmp_path: Path, body: str) -> dict[str, str]:
    """Return the environment in which the script finds this program in place of ldaphealth."""
    path = tmp_path / "ldaphealth"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return {"LDAPHEALTH": str(path), "LDAPHEALTH_SECONDS": "1"}


def run(environment: dict[str, str], *arguments: str) -> int:
    return subprocess.run(
        ["/bin/sh", SCRIPT, *arguments], env=environment, timeout=10, check=False,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ).returncode  # fmt: skip


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param("echo '0 c/s in service'; exit 0", 0, id="in service"),
        pytest.param("echo '1 c/s out of service'; exit 1", 1, id="out of service"),
        pytest.param("echo '102 c/s in service'; exit 102", 102, id="a weight"),
        pytest.param("echo 2", 2, id="drained"),
        pytest.param("echo Traceback >&2; exit 1", 0, id="a crash"),
        pytest.param("echo 'bad input' >&2; exit 3", 0, id="bad input"),
        pytest.param("echo '256 x'", 0, id="out of range"),
        pytest.param("echo '99999999999999999999 x'", 0, id="far out of range"),
        pytest.param("echo '-1 x'", 0, id="negative"),
        pytest.param("echo words", 0, id="words"),
        pytest.param("exec sleep 5", 0, id="a hang"),
    ],
)
def test_only_an_answer_takes_a_server_out(tmp_path: Path, body: str, status: int) -> None:
    assert run(program(tmp_path, body), "c/s") == status


def test_a_missing_program_keeps_the_server_in() -> None:
    assert run({"LDAPHEALTH": "/nonexistent"}, "c/s") == 0


@pytest.mark.parametrize("arguments", [[], ["--dynamic", "c/s", "more"]])
def test_bad_arguments_keep_the_server_in(tmp_path: Path, arguments: list[str]) -> None:
    assert run(program(tmp_path, "echo 1"), *arguments) == 0


def test_arguments_reach_the_program(tmp_path: Path) -> None:
    body = '[ "$*" = "check --format keepalived --dynamic c/s" ] && echo 42'

    assert run(program(tmp_path, body), "--dynamic", "c/s") == 42


def test_keepalived_timeout_is_answered_with_1_and_leaves_no_child(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    environment = program(tmp_path, f"echo $$ > {mark}; exec sleep 8")
    environment["LDAPHEALTH_SECONDS"] = "9"
    with subprocess.Popen(["/bin/sh", SCRIPT, "c/s"], env=environment, process_group=0) as script:
        for _ in range(100):
            if mark.exists() and mark.read_text():
                break
            time.sleep(0.05)
        # keepalived signals the process group; timeout(1) makes one of its own and passes it on.
        script.send_signal(signal.SIGTERM)
        subprocess.run(["pkill", "-TERM", "-P", str(script.pid)], check=False)

        status = script.wait(5)

    assert status == 1
    assert not Path(f"/proc/{mark.read_text().strip()}").exists()
