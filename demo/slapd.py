"""One slapd process and its offline tools: signals and directories, but not LDAP.

`demo/node.py` builds a node of a cluster on it.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import subprocess
from pathlib import Path
from urllib.parse import quote

from demo.programs import find
from demo.running_program import RunningProgram, StartError
from demo.tree import SUFFIX

START_SECONDS = 60.0
STOP_SECONDS = 5.0
TOOL_SECONDS = 30.0
OPEN_FILES = 4096


class PortTakenError(StartError):
    """Slapd did not start because one of its ports is in use."""


class Slapd:
    """A slapd in a directory of its own: `slapd.d`, `db`, `log`, and the ldapi socket `s`.

    `environment` is added to that of this process at the next start.
    """

    def __init__(self, binary: Path, directory: Path, urls: tuple[str, ...]) -> None:
        self.directory = directory
        self._binary = binary
        self._socket = directory / "s"
        self.ldapi_uri = f"ldapi://{quote(str(self._socket), safe='')}"
        self._urls = (*urls, self.ldapi_uri)
        self._program = RunningProgram(
            (), directory / "log", own_session=True, stop_seconds=STOP_SECONDS
        )
        self.environment: dict[str, str] = {}

    @property
    def config(self) -> Path:
        """The directory of cn=config (slapd-config(5))."""
        return self.directory / "slapd.d"

    @property
    def database(self) -> Path:
        """The directory of the data."""
        return self.directory / "db"

    @property
    def pid(self) -> int | None:
        """The process ID of slapd itself, or None if it does not run."""
        return self._program.pid

    def load(self, conf: str, ldif: str) -> None:
        """Convert a slapd.conf(5) to slapd.d and load the database, before the first start.

        Only slaptest(8) and slapd convert; slapadd takes `-f` and `-F` and writes no slapd.d.
        """
        self.database.mkdir(parents=True)
        self.config.mkdir()
        conf_file = self.directory / "slapd.conf"
        conf_file.touch(mode=0o600)
        conf_file.write_text(conf)
        self.tool("test", "-n", "0", "-f", str(conf_file))
        self.tool("add", "-q", "-w", "-b", SUFFIX, ldif=ldif)

    def tool(self, name: str, *arguments: str, ldif: str = "") -> str:
        """Run one of slapd's own tools (`add`: slapadd(8), `cat`, `modify`); return its output.

        The tools are slapd under another name. `-T` works for a copy of it too, and unlike
        slapadd it is not looked up on PATH. StartError has the standard error of the tool.
        """
        done = subprocess.run(
            [self._binary, "-T", name, "-F", self.config, *arguments],
            input=ldif,
            capture_output=True,
            text=True,
            check=False,
            timeout=TOOL_SECONDS,
        )
        if done.returncode:
            raise StartError(f"slapd -T {name}: {done.stderr.strip()}")
        return done.stdout

    def launch(self) -> None:
        """Start slapd as a child process and return before it is ready.

        - Call it from a thread that outlives slapd: the kernel sends the signal of PR_SET_PDEATHSIG
          when the *thread* ends that made the child (prctl(2)).
        - `-d` keeps slapd in the foreground, so that the pid is its own. `none` still logs
          why it ended; `-d 0` logs nothing at all, not even a failed bind.
        - slapd allocates tables for as many files as it may open, which in a container can be
          a thousand million.
        """
        files = min(OPEN_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
        limited = (find("prlimit"), f"--nofile={files}:{files}")
        slapd = (self._binary, "-d", "none", "-F", self.config, "-h", " ".join(self._urls))
        self._program.command = (find("setpriv"), "--pdeathsig", "KILL", *limited, *slapd)
        self._program.environment = os.environ | {"LDAPNOINIT": "1"} | self.environment
        self._program.launch()

    def wait_until_ready(self) -> None:
        """Wait until slapd accepts connections; it listens only after its databases are open.

        Raises StartError with the tail of the log, PortTakenError if another run has taken a port.
        """
        message = "slapd accepts no connections"
        try:
            self._program.wait_until_ready(self._accepts_connections, START_SECONDS, message)
        except StartError as error:
            if self.pid is None and "errno=98" in self.log_tail():  # EADDRINUSE
                raise PortTakenError(str(error)) from error
            raise

    def start(self) -> None:
        """Start slapd, unless it runs, and wait until it accepts connections."""
        if self.pid is None:
            self.launch()
            self.wait_until_ready()

    def terminate(self) -> None:
        """Send SIGTERM to slapd without waiting."""
        self._program.terminate()

    def stop(self) -> None:
        """End slapd as an administrator does; by force if it takes more than STOP_SECONDS."""
        self._program.stop()

    def kill(self) -> None:
        """End slapd as a crash does (SIGKILL)."""
        self._program.kill()

    def freeze(self) -> None:
        """Stop slapd without ending it (SIGSTOP): the kernel still accepts its connections."""
        if self.pid is not None:
            os.kill(self.pid, signal.SIGSTOP)
            # The signal is delivered later; return when every thread has really stopped.
            os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def thaw(self) -> None:
        """Let a frozen slapd continue (SIGCONT)."""
        self._program.send(signal.SIGCONT)

    def log_tail(self) -> str:
        """Return the end of what slapd has logged since its last start."""
        return self._program.log_tail()

    def _accepts_connections(self) -> bool:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as client:
            client.connect(str(self._socket))
            return True
        return False
