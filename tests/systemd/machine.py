"""systemd as process 1 of namespaces of its own, with the unit of examples/ and no other service.

`boot` mounts the file systems and starts systemd. It needs root and a cgroup file system of version
2. The network is that of the host, so the agent reaches servers on loopback.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from demo.running_program import RunningProgram
from demo.wait import until

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "examples" / "ldaphealth-agent.service"
SYSTEMD = Path("/lib/systemd/systemd")
USER_ID = 990  # of ldaphealth in the namespaces, as in `boot`
TARGETS = ("sysinit", "basic", "shutdown", "network-online", "multi-user")
NAMESPACES = "--mount --pid --fork --kill-child --cgroup --ipc --uts"
# What a package would install. Python is started from where `boot` mounts it.
PROGRAM = """\
#!/bin/sh
export LD_LIBRARY_PATH=/opt/ldaphealth/python/lib
export PYTHONPATH=/opt/ldaphealth/source:/opt/ldaphealth/packages
exec /opt/ldaphealth/python/bin/python3 -m ldaphealth "$@"
"""
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
BOOT_SECONDS = 30.0


def missing() -> str:
    """Return why systemd cannot be started here; "" if it can."""
    if os.geteuid() != 0:
        return "only root can make the namespaces"
    if not SYSTEMD.exists():
        return "the package systemd is not installed"
    mount = _cgroup_mount()
    if mount is None or not os.access(mount, os.W_OK):
        return "there is no cgroup file system of version 2 that can be written to"
    tried = subprocess.run(["unshare", *NAMESPACES.split(), "true"], timeout=10, check=False)
    return "namespaces are not permitted" if tried.returncode else ""


class Machine:
    """The running systemd. `etc` becomes /etc/ldaphealth, with modes and owners."""

    def __init__(self, directory: Path, etc: Path, drop_in: str) -> None:
        (directory / "units").mkdir()
        _write_units(directory / "units", drop_in)
        program = directory / "program"
        program.write_text(PROGRAM)
        program.chmod(0o755)
        self._cgroup = _new_cgroup()
        boot = [ROOT / "tests/systemd/boot", directory, etc, sys.base_prefix, ROOT, _packages()]
        inside = f"unshare {NAMESPACES} sh {' '.join(map(str, boot))}"
        join = f"echo $$ >{self._cgroup}/cgroup.procs; exec {inside}"
        self.log = directory / "log"
        self._program = RunningProgram(
            ["script", "--quiet", "--flush", "--return", "--command", join, "/dev/null"], self.log
        )

    def start(self) -> None:
        """Start it, and wait until the agent is ready or has failed."""
        self._program.start(
            lambda: (
                self.run("systemctl", "is-active", "ldaphealth-agent").stdout.strip()
                in ("active", "failed")
            ),
            BOOT_SECONDS,
            "the agent is not active",
        )

    def stop(self) -> None:
        """End it with all that it started."""
        process = self._first_process()
        if process:
            os.kill(process, 9)
        self._program.kill()
        until(self._is_removed, 10.0, f"{self._cgroup} has processes")

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command as root in the namespaces of process 1."""
        process = self._first_process()
        inside = ["nsenter", "--all", "--target", str(process), *command]
        return subprocess.run(
            inside, capture_output=True, text=True, timeout=30, check=False, env={"PATH": PATH}
        )

    def property(self, name: str) -> str:
        """Return a property of the agent's unit, as systemctl(1) shows it."""
        return self.run(
            "systemctl", "show", "--value", "-p", name, "ldaphealth-agent"
        ).stdout.strip()

    def _is_removed(self) -> bool:
        """Remove its control groups; return whether no process kept one."""
        try:
            for each in sorted(self._cgroup.glob("**/"), reverse=True):
                each.rmdir()
        except OSError:
            return False
        return True

    def _first_process(self) -> int:
        """Return the ID of process 1 on the host, 0 before it is there."""
        for each in self._cgroup.glob("**/cgroup.procs"):
            for process in each.read_text().split():
                if _is_first(Path("/proc", process)):
                    return int(process)
        return 0


@contextmanager
def machine(directory: Path, etc: Path, drop_in: str) -> Iterator[Machine]:
    """Run systemd with these files in /etc/ldaphealth, and lines added to the unit."""
    made = Machine(directory, etc, drop_in)
    try:
        made.start()
        yield made
    finally:
        made.stop()


def _write_units(directory: Path, drop_in: str) -> None:
    (directory / UNIT.name).write_text(UNIT.read_text())
    (directory / f"{UNIT.name}.d").mkdir()
    (directory / f"{UNIT.name}.d" / "test.conf").write_text(drop_in)
    (directory / "test.target").write_text(f"[Unit]\nRequires={UNIT.name}\n")
    for name in TARGETS:  # those of the host would start its services
        (directory / f"{name}.target").write_text("[Unit]\nDefaultDependencies=no\n")


def _packages() -> Path:
    """Return the directory of the packages that the tests use."""
    (found,) = (Path(each) for each in sys.path if each.endswith("site-packages"))
    return found


def _cgroup_mount() -> Path | None:
    mounts = (line.split() for line in Path("/proc/mounts").read_text().splitlines())
    return next((Path(each[1]) for each in mounts if each[2] == "cgroup2"), None)


def _new_cgroup() -> Path:
    mount = _cgroup_mount()
    assert mount is not None
    own = Path("/proc/self/cgroup").read_text().rpartition("0::/")[2].strip()
    path = mount / own / f"ldaphealth-test-{os.getpid()}"
    path.mkdir(exist_ok=True)
    return path


def _is_first(process: Path) -> bool:
    """Return whether it is systemd as process 1 of another PID namespace."""
    try:
        lines = (process / "status").read_text().splitlines()
        name = (process / "comm").read_text().strip()
    except OSError:
        return False
    ids = next(line.split()[1:] for line in lines if line.startswith("NSpid:"))
    return name == "systemd" and len(ids) > 1 and ids[-1] == "1"
