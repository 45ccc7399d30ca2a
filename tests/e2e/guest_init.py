"""Process 1 of the guest: mounts, runs one command, leaves its exit status, powers off.

`tests/e2e/guest.py` boots it, with the directory of the run as only argument. Only the standard
library, and few processes: to start one costs 15 ms in User-Mode Linux.

The root file system is the host's, and until we mount our own, so are /proc and /dev. Therefore
nothing is written before it is certain that we are in a guest, and the power goes off by reboot(2),
never by /proc/sysrq-trigger, which could be the host's.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from pathlib import Path

FINIT_MODULE = 313  # the number of the call on amd64, for which libc has no name
POWER_OFF = 0x4321FEDC  # LINUX_REBOOT_CMD_POWER_OFF, reboot(2)
TIMED_OUT = 124  # as timeout(1)
MODULES = Path("/usr/lib/uml/modules")  # where Debian's package puts them
RESULTS = Path("/run/results")
SCRATCH = Path("/mnt")  # an empty directory of the host, for file systems of ours

libc = ctypes.CDLL(None, use_errno=True)


def mount(what: str, target: Path, kind: str, options: str = "") -> None:
    """Ask the kernel, or raise OSError; then process 1 ends, and the guest with it."""
    if libc.mount(*(os.fsencode(text) for text in (what, target, kind)), 0, options.encode()):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), str(target))


def load(modules: list[str]) -> None:
    """Load kernel modules, those that they need first.

    As modprobe(8) does, for which there is no package on every machine.
    """
    directory = MODULES / os.uname().release
    lines = (directory / "modules.dep").read_text().splitlines()
    needs = {Path(line.partition(":")[0]).stem: line.replace(":", "").split() for line in lines}
    paths = [path for module in modules for path in reversed(needs[module])]
    for path in dict.fromkeys(paths):
        with (directory / path).open("rb") as module:
            if libc.syscall(FINIT_MODULE, module.fileno(), b"", 0):
                raise OSError(ctypes.get_errno(), f"cannot load {path}")


def enter_root(results: str) -> None:
    """Make the host's root file system writable for us alone, and `results` for us both."""
    mount("tmpfs", SCRATCH, "tmpfs")
    upper, work, root = (SCRATCH / name for name in ("upper", "work", "root"))
    for directory in (upper, work, root):
        directory.mkdir()
    mount("overlay", root, "overlay", f"lowerdir=/,upperdir={upper},workdir={work}")
    mount("proc", root / "proc", "proc")
    mount("sysfs", root / "sys", "sysfs")
    mount("devtmpfs", root / "dev", "devtmpfs")
    mount("tmpfs", root / "run", "tmpfs", "mode=755")
    own_results = root / RESULTS.relative_to("/")
    own_results.mkdir()
    mount("none", own_results, "hostfs", results)
    os.chroot(root)


def run(command: list[str], environment: dict[str, str], directory: str, seconds: float) -> int:
    """Run the command; when its time is over nobody need be killed, for the power goes off."""
    with (RESULTS / "output").open("wb") as output:
        process = subprocess.Popen(
            command,
            env=environment,
            cwd=directory,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            return TIMED_OUT


def main() -> None:
    """Do it, unless this is no guest."""
    if os.getpid() != 1:
        sys.exit("this is for process 1 of a guest of tests/e2e/guest.py")
    os.environ["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    mount("proc", Path("/proc"), "proc")
    if "User Mode Linux" not in Path("/proc/cpuinfo").read_text():
        sys.exit("this is not User-Mode Linux")
    results = sys.argv[1]
    job = json.loads(Path(results, "job.json").read_text())
    load(["overlay", *job["modules"]])
    enter_root(results)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    status = run(job["command"], os.environ | job["environment"], job["directory"], job["seconds"])
    (RESULTS / "status").write_text(str(status))
    os.sync()
    libc.reboot(POWER_OFF)


if __name__ == "__main__":
    main()
