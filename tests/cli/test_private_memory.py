"""The memory of a process that knows passwords, read by others of its user: real processes."""

from __future__ import annotations

import os
import re
import resource
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from demo.wait import until
from tests.hostile import servers

PROGRAM = Path(sys.executable).with_name("ldaphealth")
PLUGIN = Path(sys.executable).with_name("check_ldaphealth")
SECONDS = 10.0
MOST_CORE = resource.getrlimit(resource.RLIMIT_CORE)[1]
SECRET_FILES = ("mem", "environ", "maps", "auxv")
# Root without capabilities is a user like any other to ptrace(2).
POWERLESS = (
    ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all"]
    if os.geteuid() == 0
    else []
)
PERMIT_CORES = ["prlimit", f"--core={MOST_CORE}:{MOST_CORE}"]
READER = """\
import sys
for name in sys.argv[2:]:
    try:
        with open(f"/proc/{sys.argv[1]}/{name}", "rb") as file:
            name == "mem" or file.read(1)
    except PermissionError:
        continue
    print(name)
"""


# What the programs use of their own /proc/PID, by a user who is not root.
OWN = """\
import os, sys
from pathlib import Path
from ldaphealth.cli.command_line_secret import hide
from ldaphealth.cli.private_memory import keep_memory_private
from ldaphealth.cli.process_age import age_seconds
from ldaphealth.files.private_directory import open_private
from ldaphealth.web.server_tls import _pem
if os.geteuid() == 0:
    os.chown(sys.argv[1], 65534, 65534)
    os.setgid(65534)
    os.setuid(65534)
keep_memory_private()
assert os.stat("/proc/self/mem").st_uid == 0
os.chdir(sys.argv[1])
(open_private(Path(), "made") / "file").write_text("x")
with _pem("in memory", "", Path()) as path:
    assert Path(path).read_text() == "in memory"
assert 0 < age_seconds() < 600
assert hide(sys.argv[2]) and sys.argv[2].encode() not in Path("/proc/self/cmdline").read_bytes()
"""


def readable(pid: int) -> list[str]:
    """Return which of the files of a process another process of the same user can open."""
    command = [*POWERLESS, sys.executable, "-c", READER, str(pid), *SECRET_FILES]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=30, check=True
    ).stdout.split()


@contextmanager
def running(command: Sequence[str | Path], directory: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program without capabilities, in a directory in which it may leave a core file."""
    process = subprocess.Popen(
        [*POWERLESS, *PERMIT_CORES, *command],
        cwd=directory,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture(params=["agent", "check", "plugin"])
def process(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Return a process that waits for a server that does not answer."""
    with servers.listening(servers.silent) as port:
        url = f"ldap://127.0.0.1:{port}"
        config = tmp_path / "ldaphealth.yaml"
        config.write_text(
            f"agent: {{runtime_directory: {tmp_path}/run, state_directory: {tmp_path}/state}}\n"
            f"clusters: {{c: {{servers: {{a: '{url}'}}}}}}\n"
        )
        commands: dict[str, list[str | Path]] = {
            "agent": [PROGRAM, "agent", "--config", config],
            "check": [PROGRAM, "check", url, "--deadline", "20"],
            "plugin": [PLUGIN, "-H", "127.0.0.1", "-p", str(port), "-b", "dc=x", "-t", "20"],
        }
        directory = tmp_path / "cwd"
        directory.mkdir()
        with running(commands[request.param], directory) as made:
            until(
                lambda: forbids_cores(made.pid) and threads(made.pid) > 1,
                SECONDS,
                "it does not probe",
            )
            yield made


def forbids_cores(pid: int) -> bool:
    limits = Path(f"/proc/{pid}/limits").read_text()
    return re.search(r"^Max core file size +0 +0 ", limits, re.MULTILINE) is not None


def name_of(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def threads(pid: int) -> int:
    return sum(1 for _ in Path(f"/proc/{pid}/task").iterdir())


def test_other_processes_of_its_user_cannot_read_its_memory(
    process: subprocess.Popen[bytes],
) -> None:
    assert readable(process.pid) == []


def test_the_test_above_would_see_that_they_can(tmp_path: Path) -> None:
    with running(["sleep", "60"], tmp_path) as other:
        until(lambda: name_of(other.pid) == "sleep", SECONDS, "it has not started")
        assert readable(other.pid) == [*SECRET_FILES]


def test_an_abort_leaves_no_core_file(process: subprocess.Popen[bytes], tmp_path: Path) -> None:
    process.send_signal(signal.SIGABRT)
    _, status = os.waitpid(process.pid, 0)
    process.returncode = -signal.SIGABRT

    assert os.WTERMSIG(status) == signal.SIGABRT
    assert not os.WCOREDUMP(status)
    assert list((tmp_path / "cwd").iterdir()) == []


@pytest.mark.skipif(MOST_CORE == 0, reason="no process may leave a core file")
def test_the_test_above_would_see_a_core_file(tmp_path: Path) -> None:
    with running(["sleep", "60"], tmp_path) as other:
        until(lambda: name_of(other.pid) == "sleep", SECONDS, "it has not started")
        other.send_signal(signal.SIGABRT)
        _, status = os.waitpid(other.pid, 0)
        other.returncode = -signal.SIGABRT

    assert os.WCOREDUMP(status)


def copies(pid: int, text: bytes) -> int:
    """Return how often a text is in the memory of a process; only root can read it."""
    found = 0
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            area, permissions = line.split()[:2]
            if "r" not in permissions or "[v" in line:  # vdso(7)
                continue
            start, end = (int(each, 16) for each in area.split("-"))
            with suppress(OSError):  # unmapped meanwhile
                memory.seek(start)
                found += memory.read(end - start).count(text)
    return found


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can read the memory of the agent")
def test_a_password_that_was_replaced_is_in_no_part_of_the_memory(tmp_path: Path) -> None:
    old, new = (secrets.token_hex(16) for _ in range(2))
    password = tmp_path / "password"
    password.write_text(old)
    password.chmod(0o600)
    with servers.listening(servers.silent) as port:
        config = tmp_path / "ldaphealth.yaml"
        config.write_text(
            f"agent: {{runtime_directory: {tmp_path}/run, state_directory: {tmp_path}/state}}\n"
            f"credentials: {{c: {{dn: 'cn=a', password_file: {password}}}}}\n"
            "clusters: {c: {interval_seconds: 0.5, deadline_seconds: 0.4, credentials: c,\n"
            f"  servers: {{a: 'ldap://127.0.0.1:{port}', b: 'ldap://127.0.0.2:{port}'}}}}}}\n"
        )
        with running([PROGRAM, "agent", "--config", config], tmp_path) as agent:
            pid = agent.pid
            until(lambda: threads(pid) > 1 and copies(pid, old.encode()), SECONDS, "no bind")
            password.write_text(new)
            agent.send_signal(signal.SIGHUP)

            until(lambda: copies(pid, new.encode()), SECONDS, "the new one is not used")
            until(lambda: not copies(pid, old.encode()), SECONDS, "the old one is still there")


def test_what_the_programs_read_of_their_own_process_is_still_there() -> None:
    with tempfile.TemporaryDirectory() as directory:  # tmp_path is below one that others cannot use
        command = [sys.executable, "-c", OWN, directory, "a secret word"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

        assert (done.returncode, done.stderr) == (0, "")
        assert Path(directory, "made", "file").read_text() == "x"
