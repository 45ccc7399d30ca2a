"""Without an agent the scripts of a cluster start one program, and a drained server stays drained.

Each test runs the real script, as keepalived runs it, with a small program in place of ldaphealth.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from time import monotonic

import pytest
from msgspec.structs import replace

from demo.wait import comes_true
from ldaphealth.clocks import boot_seconds, epoch_seconds
from ldaphealth.guard import Memory, Override
from ldaphealth.model import OverrideAction, Verdict
from ldaphealth.publishers.shared_verdicts import (
    IN_SECONDS,
    SharedVerdicts,
    directory_name,
)
from ldaphealth.publishers.verdict_file import text
from ldaphealth.store.override_files import write_override_files
from ldaphealth.store.record_file import boot_id
from tests.sinks.snapshots import serving, silent

SCRIPT = Path(__file__).parents[2] / "keepalived" / "ldaphealth-check"
SERVERS = [f"c/s{number}" for number in range(12)]
SERVER = SERVERS[0]
STUB_STATUS = 42
SHELLS = [
    pytest.param((path, *options), id=" ".join((name, *options)))
    for name, *options in (("dash",), ("bash", "--posix"), ("bash",), ("busybox", "sh"))
    if (path := shutil.which(name))
]


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> tuple[str, ...]:
    found: tuple[str, ...] = request.param
    return found


class Host:
    """The directories of an agent that is dead, a stub for the program, and a logger to a file."""

    def __init__(self, directory: Path, body: str = f"echo {STUB_STATUS} stub") -> None:
        self.directory = directory
        self.run_directory, self.state = directory / "run", directory / "state"
        self.run_directory.mkdir()
        self.state.mkdir()
        self.program("ldaphealth", f"echo $$ >>{directory}/started; {body}")
        self.program("logger", f'echo "$*" >>{directory}/log')

    @property
    def shared(self) -> Path:
        """Return the directory of the shared verdicts on the cluster."""
        return self.run_directory / directory_name() / "c"

    @property
    def starts(self) -> int:
        """Return how often the program was started."""
        started = self.directory / "started"
        return len(started.read_text().splitlines()) if started.exists() else 0

    @property
    def log(self) -> str:
        """Return what the script logged."""
        log = self.directory / "log"
        return log.read_text() if log.exists() else ""

    def program(self, name: str, body: str) -> None:
        """Put a program into the PATH of the script."""
        (self.directory / name).write_text(f"#!/bin/sh\n{body}\n")
        (self.directory / name).chmod(0o755)

    def start(
        self,
        server: str,
        *,
        shell: tuple[str, ...] = ("/bin/sh",),
        seconds: int = 8,
        stdout: int = subprocess.DEVNULL,
    ) -> subprocess.Popen[bytes]:
        """Start the script as keepalived does."""
        return subprocess.Popen(
            [*shell, SCRIPT, "--dynamic", server],
            env={
                "PATH": str(self.directory),
                "LDAPHEALTH": str(self.directory / "ldaphealth"),
                "LDAPHEALTH_SECONDS": str(seconds),
                "LDAPHEALTH_VERDICTS": str(self.run_directory / "verdicts"),
                "LDAPHEALTH_OVERRIDES": str(self.state / "overrides"),
            },
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.DEVNULL,
            umask=0o177,
            process_group=0,
        )

    def check(self, server: str = SERVER, *, shell: tuple[str, ...] = ("/bin/sh",)) -> int:
        """Return the exit status of the script."""
        return self.start(server, shell=shell).wait(20)

    def share(self, *verdicts: Verdict, now: float | None = None) -> None:
        """Write shared verdicts as the program does."""
        at = boot_seconds() if now is None else now
        SharedVerdicts(self.run_directory, "c", "mark").write(verdicts, at)

    def override(
        self, action: OverrideAction, seconds: float, boot: str = "", epoch_shift: float = 0.0
    ) -> None:
        """Write the override on the first server as the agent does."""
        until = Override(action, boot_seconds() + seconds)
        write_override_files(
            self.state / "overrides",
            {"c": Memory({}, {SERVER: until})},
            boot_id=boot or boot_id(),
            now=boot_seconds(),
            epoch=epoch_seconds() + epoch_shift,
        )


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def shares(servers: Iterable[str], status: int) -> str:
    """Return the body of a program that takes a second, and shares a verdict on each server."""
    lines = "".join(
        f"echo ldaphealth1 0 {status} $((now + {IN_SECONDS})) {server} in service"
        f' >"$LDAPHEALTH_SHARED/{directory_name()}/{server}"; '
        for server in servers
    )
    return f"sleep 1; read -r up _ </proc/uptime; now=${{up%%.*}}; {lines} echo {status} stub"


def test_scripts_at_the_same_time_start_one_program(tmp_path: Path, shell: tuple[str, ...]) -> None:
    host = Host(tmp_path, shares(SERVERS, 77))

    running = [host.start(server, shell=shell) for server in SERVERS]

    assert [script.wait(20) for script in running] == [77] * len(SERVERS)
    assert host.starts == 1
    assert not host.log


def test_a_later_script_reads_the_verdict_without_a_program(
    host: Host, shell: tuple[str, ...]
) -> None:
    host.share(serving(SERVER))

    assert host.check(shell=shell) == 102
    assert host.starts == 0


def test_by_hand_it_says_that_no_agent_runs(host: Host, shell: tuple[str, ...]) -> None:
    host.share(serving(SERVER))
    output, _ = host.start(SERVER, shell=shell, stdout=subprocess.PIPE).communicate(timeout=20)
    assert output.decode() == f"102 {SERVER} in service; no agent runs\n"


def test_a_verdict_that_removes_the_server_is_not_read_by_a_later_script(host: Host) -> None:
    """So keepalived's `retry`, a second later, is another probe."""
    host.share(silent(SERVER), now=boot_seconds() - 1)

    assert host.check() == STUB_STATUS
    assert host.starts == 1


@pytest.mark.parametrize("seconds", [-IN_SECONDS, -1000, 100])
def test_an_expired_or_impossible_verdict_is_not_read(host: Host, seconds: float) -> None:
    host.share(serving(SERVER), now=boot_seconds() + seconds)

    assert host.check() == STUB_STATUS


def test_a_program_that_hangs_holds_no_script_longer_than_its_limit(tmp_path: Path) -> None:
    host = Host(tmp_path, "exec sleep 30")
    began = monotonic()

    running = [host.start(server, seconds=4) for server in SERVERS]

    assert [script.wait(20) for script in running] == [0] * len(SERVERS)
    assert monotonic() - began < 8
    assert "no result from ldaphealth in 4 s" in host.log
    assert "other checks of this cluster gave no result in" in host.log


def test_the_next_script_takes_over_when_the_one_with_the_lock_is_killed(tmp_path: Path) -> None:
    host = Host(tmp_path, "[ -e run/again ] && echo 42 stub || { >run/again; exec sleep 30; }")
    body = (host.directory / "ldaphealth").read_text().replace("run/", f"{host.run_directory}/")
    (host.directory / "ldaphealth").write_text(body)
    first = host.start(SERVER)
    assert comes_true((host.run_directory / "again").exists, 5.0)
    second = host.start(SERVERS[1])

    first.kill()

    assert second.wait(20) == STUB_STATUS
    first.wait()
    pid = (host.directory / "started").read_text().split()[0]
    os.kill(int(pid), signal.SIGKILL)  # what no script of a killed shell can do


def test_a_script_that_waits_is_stopped_with_1(tmp_path: Path) -> None:
    host = Host(tmp_path, "exec sleep 5")
    first = host.start(SERVER)
    assert comes_true(lambda: host.starts == 1, 5.0)
    second = host.start(SERVERS[1])
    assert comes_true(lambda: _waits_for_lock(second.pid), 5.0)

    os.killpg(second.pid, signal.SIGTERM)

    assert comes_true(lambda: second.poll() is not None, 2.0)
    os.killpg(first.pid, signal.SIGTERM)
    assert comes_true(lambda: first.poll() is not None, 2.0)
    assert second.returncode == first.returncode == 1


def _waits_for_lock(pid: int) -> bool:
    """Return whether timeout(1), a child of the script, has started flock(1).

    Before it has set its handlers, a signal may be lost in the copy of the shell.
    """
    return any(_children(each) for each in _children(pid))


def _children(pid: int) -> list[int]:
    with contextlib.suppress(FileNotFoundError):
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


@pytest.mark.parametrize("umask", [0o000, 0o177])
def test_the_directory_is_for_its_user_alone(host: Host, umask: int) -> None:
    before = os.umask(umask)
    try:
        host.check()
    finally:
        os.umask(before)

    for each in (host.shared, host.shared.parent):
        assert each.stat().st_mode & 0o7777 == 0o700


def a_link(path: Path) -> None:
    path.with_name("elsewhere").mkdir()
    path.symlink_to("elsewhere")


def a_file(path: Path) -> None:
    path.write_text("")


def one_of_another_user(path: Path) -> None:
    if os.geteuid():
        pytest.skip("only root can give a directory away")
    path.mkdir()
    os.chown(path, 65534, 65534)


@pytest.mark.parametrize("plant", [a_link, a_file, one_of_another_user])
@pytest.mark.parametrize("top", [True, False], ids=["top", "cluster"])
def test_a_planted_directory_is_not_used_but_the_one_beside_the_overrides(
    host: Host, plant: Callable[[Path], None], shell: tuple[str, ...], *, top: bool
) -> None:
    path = host.shared.parent if top else host.shared
    path.parent.mkdir(exist_ok=True, mode=0o700)
    plant(path)
    if path.is_dir():
        cluster = path / "c" if top else path
        cluster.mkdir(exist_ok=True)
        (cluster / "s0").write_text(text(serving(SERVER), boot_seconds() + 2))

    assert host.check(shell=shell) == STUB_STATUS
    assert (host.state / directory_name() / "c").is_dir()


@pytest.mark.parametrize("kind", ["fifo", "link", "directory"])
def test_a_planted_file_is_not_read(host: Host, kind: str, shell: tuple[str, ...]) -> None:
    host.share(serving(SERVERS[1]))
    file = host.shared / "s0"
    if kind == "fifo":
        os.mkfifo(file)
    elif kind == "link":
        file.symlink_to("/dev/zero")
    else:
        file.mkdir()

    assert host.check(shell=shell) == STUB_STATUS


def test_without_any_directory_each_script_starts_the_program(tmp_path: Path) -> None:
    host = Host(tmp_path)
    for each in (host.run_directory, host.state):
        each.rmdir()
        each.write_text("")

    assert {host.check(server) for server in SERVERS[:3]} == {STUB_STATUS}
    assert host.starts == 3


FAILING = ["exit 1", "exit 3", "exit 4", "echo rubbish", "kill -SEGV $$"]


@pytest.mark.parametrize(("action", "status"), [("drain", 2), ("out", 1)])
@pytest.mark.parametrize("body", FAILING)
def test_a_server_that_an_operator_took_out_stays_out_whatever_fails(
    tmp_path: Path, body: str, action: OverrideAction, status: int
) -> None:
    host = Host(tmp_path, body)
    host.override(action, 600)

    assert host.check() == status
    assert host.check(SERVERS[1]) == 0


def test_a_drained_server_stays_drained_without_any_program(
    tmp_path: Path, shell: tuple[str, ...]
) -> None:
    host = Host(tmp_path)
    host.override("drain", 600)
    (host.directory / "ldaphealth").unlink()

    assert host.check(shell=shell) == 2


def test_an_override_that_ended_is_not_read(host: Host, shell: tuple[str, ...]) -> None:
    host.override("drain", -1)

    assert host.check(shell=shell) == STUB_STATUS


@pytest.mark.parametrize(("epoch_shift", "status"), [(0.0, 2), (-700.0, STUB_STATUS)])
def test_after_another_boot_the_time_of_day_counts(
    host: Host, shell: tuple[str, ...], epoch_shift: float, status: int
) -> None:
    host.override("drain", 600, boot="of another time", epoch_shift=epoch_shift)
    file = host.state / "overrides" / SERVER
    file.write_text(file.read_text().replace("of another time", "another"))

    assert host.check(shell=shell) == status


def test_the_agents_verdict_comes_before_an_override(host: Host) -> None:
    host.override("drain", 600)
    verdict = replace(serving(SERVER), weight=50)
    (host.run_directory / "verdicts" / "c").mkdir(parents=True)
    (host.run_directory / "verdicts" / SERVER).write_text(text(verdict, boot_seconds() + 100))

    assert host.check() == 52
