"""The MISC_CHECK script passes results on, and treats no local failure as a failed server.

Each test runs the real script, as keepalived runs it, with a small program in place of ldaphealth.
"""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.lateness import Stopwatch, comes_true, repeated_when_late

SCRIPT = Path(__file__).parents[2] / "keepalived" / "ldaphealth-check"
LIMIT_SECONDS = 4  # the least that the script accepts
PATIENCE_SECONDS = 60
KEEPALIVED_UMASK = 0o177
SIGKILL_AFTER_SECONDS = 2  # keepalived's check_misc.c, after its SIGTERM


def program(path: Path, body: str) -> Path:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def environment(directory: Path, body: str) -> dict[str, str]:
    """Return settings with this program for ldaphealth, and a logger that writes to a file."""
    (directory / "log").unlink(missing_ok=True)
    program(directory / "logger", f'echo "$*" >>{directory}/log')
    return {
        "PATH": str(directory),
        "LDAPHEALTH": str(program(directory / "ldaphealth", body)),
        "LDAPHEALTH_SECONDS": str(LIMIT_SECONDS),
        "LDAPHEALTH_VERDICTS": str(directory / "run" / "verdicts"),
        "LDAPHEALTH_OVERRIDES": str(directory / "state" / "overrides"),
    }


def run(settings: dict[str, str], *arguments: str, script: Path = SCRIPT) -> int:
    return subprocess.run(
        ["/bin/sh", script, *arguments],
        env=settings,
        timeout=PATIENCE_SECONDS,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        umask=KEEPALIVED_UMASK,
        process_group=0,
    ).returncode


def logged(directory: Path) -> str:
    log = directory / "log"
    return log.read_text() if log.exists() else ""


def is_running(pid: str) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def ends(pid: str) -> bool:
    """Return whether a process ends soon: a SIGKILL takes a moment."""
    return comes_true(lambda: not is_running(pid), 1.0)


def wait_for(mark: Path) -> str:
    """Return what a program wrote there, once it has."""
    is_written = comes_true(lambda: mark.exists() and mark.read_text().endswith("\n"), 5.0)
    assert is_written, f"{mark} is not written"
    return mark.read_text().strip()


@pytest.mark.parametrize(
    ("dynamic", "body", "status"),
    [
        pytest.param([], "echo '0 c/s in service'", 0, id="in service"),
        pytest.param([], "echo '1 c/s out of service'; exit 1", 1, id="out of service"),
        pytest.param(["--dynamic"], "echo '1 c/s out'; exit 1", 1, id="out of a dynamic pool"),
        pytest.param(["--dynamic"], "echo '102 c/s'; exit 102", 102, id="a weight of 100"),
        pytest.param(["--dynamic"], "echo '255 c/s'; exit 255", 255, id="the highest weight"),
        pytest.param(["--dynamic"], "echo '2 c/s'; exit 2", 2, id="a drain"),
        pytest.param([], "printf 1", 1, id="an answer without an end of line"),
        pytest.param([], "echo 1 c/s; kill -ABRT $$", 1, id="an answer before a crash"),
        pytest.param([], "echo warning >&2; echo 1 c/s", 1, id="an answer beside a warning"),
    ],
)
def test_an_answer_is_passed_on_and_not_logged(
    tmp_path: Path, dynamic: list[str], body: str, status: int
) -> None:
    assert run(environment(tmp_path, body), *dynamic, "c/s") == status
    assert not logged(tmp_path)


@pytest.mark.parametrize(
    ("dynamic", "body", "cause"),
    [
        pytest.param([], "echo Traceback >&2; exit 1", "exit status 1", id="a traceback"),
        pytest.param(["--dynamic"], "exit 3", "rejects its arguments", id="bad input"),
        pytest.param([], "exit 4", "missed its own deadline", id="a missed deadline"),
        pytest.param(["--dynamic"], "echo 256 c/s", "no valid result", id="out of range"),
        pytest.param([], "echo 99999999999999999999", "no valid result", id="a huge number"),
        pytest.param([], "echo -1 c/s", "no valid result", id="a negative number"),
        pytest.param([], "echo 01 c/s", "no valid result", id="a leading zero"),
        pytest.param([], "echo 102 c/s", "no valid result", id="a weight without misc_dynamic"),
        pytest.param([], "echo out of service", "no valid result", id="text"),
        pytest.param([], "echo; echo 1", "no valid result", id="an empty line first"),
        pytest.param([], r"printf '\001\377\n'", "no valid result", id="bytes that are no text"),
        pytest.param([], "kill -SEGV $$", "status 139", id="a crash"),
        pytest.param([], "kill -ALRM $$", "no result", id="its own time limit"),
        pytest.param([], "exec /nonexistent", "status 127", id="a missing interpreter"),
        pytest.param([], "exec sleep 30", "no result", id="a hang"),
        pytest.param([], "trap '' TERM; sleep 30; sleep 30", "no result", id="a stubborn hang"),
        pytest.param([], "exec yes", "no result", id="endless output"),
    ],
)
def test_a_local_failure_keeps_the_server_in_and_is_logged(
    tmp_path: Path, dynamic: list[str], body: str, cause: str
) -> None:
    assert run(environment(tmp_path, body), *dynamic, "c/s") == 0
    assert "c/s: " in logged(tmp_path)
    assert cause in logged(tmp_path)
    assert "-t ldaphealth -p daemon.err" in logged(tmp_path)


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param([], id="none"),
        pytest.param([""], id="an empty one"),
        pytest.param(["ldap1"], id="no cluster"),
        pytest.param(["c/s", "c/t"], id="two servers"),
        pytest.param(["--dynamik", "c/s"], id="a misspelt option"),
    ],
)
def test_bad_arguments_keep_the_server_in_and_are_logged(
    tmp_path: Path, arguments: list[str]
) -> None:
    assert run(environment(tmp_path, "echo 1"), *arguments) == 0
    assert "kept in service unchecked" in logged(tmp_path)


@pytest.mark.parametrize("seconds", ["0", "3", "301", "5.5", "-1", "x", "08"])
def test_an_unusable_limit_keeps_the_server_in_and_is_logged(tmp_path: Path, seconds: str) -> None:
    settings = environment(tmp_path, "echo 1") | {"LDAPHEALTH_SECONDS": seconds}

    assert run(settings, "c/s") == 0
    assert f"LDAPHEALTH_SECONDS is '{seconds}'" in logged(tmp_path)


def test_a_missing_program_keeps_the_server_in_and_is_logged(tmp_path: Path) -> None:
    settings = environment(tmp_path, "echo 1") | {"LDAPHEALTH": "/nonexistent"}

    assert run(settings, "c/s") == 0
    assert "no program '/nonexistent'" in logged(tmp_path)


@pytest.mark.parametrize(
    ("installed", "status"),
    [pytest.param(False, 1, id="in PATH"), pytest.param(True, 0, id="before PATH, in /opt")],
)
def test_the_program_is_found(tmp_path: Path, *, installed: bool, status: int) -> None:
    """Whatever this machine has in /opt: the script gets another directory in its place."""
    opt = tmp_path / "opt"
    script = tmp_path / "ldaphealth-check"
    script.write_text(SCRIPT.read_text().replace("/opt/ldaphealth/bin", str(opt)))
    settings = environment(tmp_path, "echo 1")
    del settings["LDAPHEALTH"]
    if installed:
        opt.mkdir()
        program(opt / "ldaphealth", "echo 0")

    assert run(settings, "c/s", script=script) == status
    assert not logged(tmp_path)


def test_a_failure_without_a_logger_keeps_the_server_in(tmp_path: Path) -> None:
    settings = environment(tmp_path, "exit 1")
    program(tmp_path / "logger", "exit 1")

    assert run(settings, "c/s") == 0


@repeated_when_late
def test_a_stuck_logger_holds_the_answer_up_for_a_second_only(tmp_path: Path) -> None:
    settings = environment(tmp_path, "exit 1")
    program(tmp_path / "logger", "exec sleep 30")
    with Stopwatch() as watch:
        assert run(settings, "c/s") == 0
    assert watch.seconds < 3


def test_the_program_gets_the_arguments_and_a_deadline_before_the_limit(tmp_path: Path) -> None:
    wanted = "check --format keepalived --dynamic --deadline 1 c/s"
    settings = environment(tmp_path, f'[ "$*" = "{wanted}" ] && echo 42')

    assert run(settings, "--dynamic", "c/s") == 42


def test_the_program_can_use_the_directories_that_it_makes(tmp_path: Path) -> None:
    settings = environment(tmp_path, f"mkdir {tmp_path}/made && echo 1")

    assert run(settings, "c/s") == 1
    assert (tmp_path / "made").stat().st_mode & 0o777 == 0o700


def test_an_empty_environment_and_closed_descriptors_do_not_change_the_answer(
    tmp_path: Path,
) -> None:
    stub = program(tmp_path / "ldaphealth", "echo 77 c/s")
    verdicts = f"LDAPHEALTH_VERDICTS={tmp_path}/run/verdicts"
    command = f"env -i LDAPHEALTH={stub} {verdicts} /bin/sh {SCRIPT} --dynamic c/s <&- >&- 2>&-"

    assert subprocess.run(["/bin/sh", "-c", command], check=False).returncode == 77


def test_a_reader_that_went_away_does_not_change_the_answer(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        status = subprocess.run(
            ["/bin/sh", SCRIPT, "--dynamic", "c/s"],
            env=environment(tmp_path, "echo 77 c/s"),
            stdout=writer,
            check=False,
            restore_signals=True,
        ).returncode
    finally:
        os.close(writer)

    assert status == 77


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("exec sleep 30", id="one that hangs"),
        pytest.param("trap '' TERM; sleep 30 & wait; sleep 30", id="one that ignores SIGTERM"),
    ],
)
@repeated_when_late
def test_keepalived_timeout_is_answered_with_1_in_time_and_nothing_survives(
    tmp_path: Path, body: str
) -> None:
    mark = tmp_path / "pid"
    mark.unlink(missing_ok=True)
    settings = environment(tmp_path, f"echo $$ >{mark}; {body}")
    settings["LDAPHEALTH_SECONDS"] = "30"
    with subprocess.Popen(
        ["/bin/sh", SCRIPT, "c/s"], env=settings, process_group=0, stderr=subprocess.DEVNULL
    ) as script:
        pid = wait_for(mark)
        with Stopwatch() as watch:
            os.killpg(script.pid, signal.SIGTERM)
            status = script.wait(PATIENCE_SECONDS)

    assert status == 1
    assert watch.seconds < SIGKILL_AFTER_SECONDS
    assert ends(pid)
    assert "misc_timeout" in logged(tmp_path)


@repeated_when_late
def test_what_the_program_leaves_running_neither_survives_nor_holds_the_answer_up(
    tmp_path: Path,
) -> None:
    mark = tmp_path / "pid"
    mark.unlink(missing_ok=True)
    settings = environment(tmp_path, f"sleep 30 & echo $! >{mark}; echo 1 c/s; exit 1")
    with Stopwatch() as watch:
        assert run(settings, "c/s") == 1
    assert watch.seconds < LIMIT_SECONDS
    assert ends(wait_for(mark))


def test_help_is_printed() -> None:
    shown = subprocess.run(
        ["/bin/sh", SCRIPT, "--help"], capture_output=True, text=True, check=True
    )

    assert shown.stdout.startswith("Usage: ldaphealth-check [--dynamic] CLUSTER/SERVER")


def test_by_hand_the_result_and_the_cause_of_a_failure_are_shown(tmp_path: Path) -> None:
    def result(body: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/sh", SCRIPT, "c/s"],
            env=environment(tmp_path, body),
            capture_output=True,
            text=True,
            check=False,
        )

    assert result("echo '1 c/s out of service search.timeout'").stdout == (
        "1 c/s out of service search.timeout; no agent runs\n"
    )
    assert "rejects its arguments or its configuration" in result("exit 3").stderr
