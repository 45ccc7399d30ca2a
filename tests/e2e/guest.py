"""Boots this machine's own root file system in User-Mode Linux and runs one command there as root.

For keepalived with a kernel that has IPVS, network devices of its own and root's rights, whatever
kernel and user the tests run under: Debian's package user-mode-linux is a kernel that runs as a
plain process (docs.kernel.org/virt/uml/user_mode_linux_howto_v2.html). It needs ptrace(2) and no
privilege. `python -m tests.e2e.guest COMMAND...` tries a command by hand.

The guest sees all files of the host read-only (hostfs, mounted `ro` and never `rw`: the host's
/proc/sysrq-trigger is there too) below an overlay in memory. Only the directory of results is
shared.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from demo import wait
from demo.running_program import RunningProgram

INIT = Path(__file__).with_name("guest_init.py")
BOOT_SECONDS = 15.0
STOP_SECONDS = 2.0
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  # linux.uml's choice
ALL_REGISTERS = Path(__file__).with_name("all_registers.c")
# Taken from the host when it is used.
MEMORY_BYTES = 512 * 2**20


class CannotRunError(Exception):
    """User-Mode Linux is not installed or cannot run here; the text says why."""


class GuestDiedError(Exception):
    """The guest left no exit status; the text is its console."""


@dataclass(frozen=True, slots=True)
class Finished:
    """What a command in the guest left: 124 is the status of one that took too long."""

    status: int
    output: str


def run(
    command: Sequence[str],
    results: Path,
    *,
    environment: Mapping[str, str] | None = None,
    modules: Sequence[str] = (),
    seconds: float = 60.0,
) -> Finished:
    """Boot, run `command` in our working directory, power off.

    `results` is an existing directory, /run/results in the guest, where also the output of the
    command can be followed. Nothing stays behind: no process, not even if we are killed, and no
    file but those in `results`.

    Raises CannotRunError and GuestDiedError.
    """
    job = {
        "command": list(command),
        "directory": str(Path.cwd()),
        "environment": dict(environment or {}),
        "modules": list(modules),
        "seconds": seconds,
    }
    results = results.resolve()
    host_environment = _environment(results) | _all_registers(results)
    (results / "job.json").write_text(json.dumps(job))
    (results / "status").unlink(missing_ok=True)
    (results / "console").unlink(missing_ok=True)
    init = ("--", "-IS", str(INIT), str(results), "noreboot")
    with _claimed_cpu() as cpu:
        kernel = RunningProgram(
            [*_kernel(cpu), *_parameters(results), *init],
            results / "console",
            host_environment,
            directory=Path("/"),
            own_session=True,
            stop_seconds=STOP_SECONDS,
        )
        with kernel, contextlib.suppress(TimeoutError):
            wait.until(kernel.has_ended, seconds + BOOT_SECONDS, "the guest runs")
    try:
        status = int((results / "status").read_text())
    except (FileNotFoundError, ValueError):
        text = kernel.log().partition("Call Trace:")[0]
        # 1 is for what linux.uml finds amiss before it boots, such as a host without ptrace(2) or
        # memory; when a guest panics it aborts.
        raise (CannotRunError if kernel.status == 1 else GuestDiedError)(text) from None
    return Finished(status, (results / "output").read_text(errors="replace"))


def _kernel(cpu: int) -> list[str]:
    """Return the command that becomes linux.uml.

    - If we are killed, so is the guest: SIGTERM ends all of it, SIGKILL would leave orphans.
    - A panic must not leave a core file.
    - The guest keeps a file of the host open for each that it remembers.
    - With its threads on two CPUs a system call takes ten times as long as on one.
    """
    if not shutil.which("linux.uml"):
        raise CannotRunError("linux.uml is missing: run scripts/install-packages user-mode-linux")
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return [
        "setpriv",
        "--pdeathsig",
        "TERM",
        "prlimit",
        "--core=0",
        f"--nofile={files}:{files}",
        "taskset",
        "-c",
        str(cpu),
        "linux.uml",
    ]


@contextlib.contextmanager
def _claimed_cpu() -> Iterator[int]:
    """Find a CPU that no other guest has, if there is one.

    A socket in the abstract namespace (unix(7)) claims it: it leaves no file, and ends with us.
    """
    cpus = sorted(os.sched_getaffinity(0))
    with socket.socket(socket.AF_UNIX) as claim:
        for cpu in cpus:
            try:
                claim.bind(f"\0ldaphealth/guest/{cpu}")
            except OSError:
                continue
            break
        else:
            cpu = random.SystemRandom().choice(cpus)
        yield cpu


def _parameters(results: Path) -> list[str]:
    """Return the kernel's command line; the last two lines halve the time that it takes to boot.

    RAID6 measures its speed, the other makes a pool that nobody uses, and 256 BSD terminals are
    made. With `noreboot` as one more argument, where the kernel looks for it too, a guest
    that reboots ends; before the `--` it would be handed on to Python.
    """
    return [
        f"mem={MEMORY_BYTES // 2**20}M",
        "root=/dev/root",
        "rootfstype=hostfs",
        "ro",
        f"init={Path(sys.executable).resolve()}",
        f"uml_dir={results}/",
        "umid=guest",
        "con=null",
        "con0=null,fd:1",
        "quiet",
        "loglevel=4",  # errors
        "initcall_blacklist=raid6_select_algo,init_zswap",
        "pty.legacy_count=0",
    ]


def _environment(results: Path) -> dict[str, str]:
    """Return where to keep the guest's memory: in a file that it must be allowed to execute.

    That is /dev/shm by default, which in a container is small and not executable.
    """
    shared = os.statvfs(SHARED_MEMORY) if SHARED_MEMORY.is_dir() else None
    fits = shared and shared.f_bavail * shared.f_frsize > MEMORY_BYTES
    usable = fits and shared and not shared.f_flag & os.ST_NOEXEC
    return {"PATH": os.defpath, "TMPDIR": str(SHARED_MEMORY if usable else results)}


def _all_registers(results: Path) -> dict[str, str]:
    """Return what has linux.uml set all registers of a CPU with AMX: without it no program runs."""
    if "amx_tile" not in Path("/proc/cpuinfo").read_text().split():
        return {}
    if not shutil.which("gcc"):
        text = "linux.uml cannot use this CPU alone: run scripts/install-packages gcc libc6-dev"
        raise CannotRunError(text)
    library = results / "all_registers.so"
    compiler = ["gcc", "-shared", "-fPIC", "-O", "-o"]
    subprocess.run([*compiler, library, ALL_REGISTERS], check=True, timeout=30)
    return {"LD_PRELOAD": str(library)}


def main() -> None:
    """Run the command given as arguments, and exit with its status."""
    with tempfile.TemporaryDirectory() as results:
        finished = run(sys.argv[1:], Path(results), modules=["ip_vs"])
    sys.stdout.write(finished.output)
    sys.exit(finished.status)


if __name__ == "__main__":
    main()
