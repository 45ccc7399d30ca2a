"""One slapd process and its offline tools; it knows signals and directories, but no LDAP.

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

from demo import wait
from demo.programs import find
from demo.tree import SUFFIX

START_SECONDS = 15.0
STOP_SECONDS = 5.0
TOOL_SECONDS = 30.0
OPEN_FILES = 4096
LOG_TAIL_BYTES = 2000


class StartError(Exception):
    """Slapd did not start; the text holds the end of its log."""


class PortTakenError(StartError):
    """Slapd did not start because somebody listens on one of its ports."""


class Slapd:
    """A slapd in a directory of its own: `slapd.d`, `db`, `log`, and the ldapi socket `s`.

    `environment` is added to ours at the next start.
    """

    def __init__(self, binary: Path, directory: Path, urls: tuple[str, ...]) -> None:
        self.directory = directory
        self._binary = binary
        self._socket = directory / "s"
        self.ldapi_uri = f"ldapi://{quote(str(self._socket), safe='')}"
        self._urls = (*urls, self.ldapi_uri)
        self._process: subprocess.Popen[bytes] | None = None
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
        return self._process.pid if self._process and self._process.poll() is None else None

    def load(self, conf: str, ldif: str) -> None:
        """Turn a slapd.conf(5) into slapd.d and fill the database, before the first start.

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
        slapadd it is not looked up again on PATH. StartError holds what the tool said.
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
        """Start slapd as our child and return before it is ready.

        - Call it from a thread that outlives slapd: the kernel sends the signal of PR_SET_PDEATHSIG
          when the *thread* ends that made the child (prctl(2)).
        - `-d` keeps slapd in the foreground, so that the pid is its own. `none` still logs
          why it ended; `-d 0` logs nothing at all, not even a failed bind.
        - slapd allocates tables for as many files as it may open, which in a container can be
          a thousand million.
        """
        files = min(OPEN_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
        with (self.directory / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    find("setpriv"),
                    "--pdeathsig",
                    "KILL",
                    find("prlimit"),
                    f"--nofile={files}:{files}",
                    self._binary,
                    "-d",
                    "none",
                    "-F",
                    self.config,
                    "-h",
                    " ".join(self._urls),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | {"LDAPNOINIT": "1"} | self.environment,
                start_new_session=True,  # a Ctrl-C at the terminal is for us to handle
            )

    def wait_until_ready(self) -> None:
        """Wait until slapd takes connections; it listens only after its databases are open.

        Raises StartError with the tail of the log, PortTakenError if another run was faster.
        """
        try:
            wait.until(self._has_answered_or_ended, START_SECONDS, "slapd takes no connections")
        except TimeoutError as error:
            raise StartError(f"{error}: {self.log_tail()}") from error
        if self.pid is None:
            kind = PortTakenError if "errno=98" in self.log_tail() else StartError  # EADDRINUSE
            raise kind(f"slapd ended at its start: {self.log_tail()}")

    def start(self) -> None:
        """Start slapd, unless it runs, and wait until it takes connections."""
        if self.pid is None:
            self.launch()
            self.wait_until_ready()

    def terminate(self) -> None:
        """Ask slapd to end, and do not wait."""
        if self._process:
            self._process.terminate()
            self._process.send_signal(signal.SIGCONT)  # a frozen process would not hear it

    def stop(self) -> None:
        """End slapd as an administrator does; by force if it takes more than STOP_SECONDS."""
        self.terminate()
        if self._process:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_SECONDS)
        self.kill()

    def kill(self) -> None:
        """End slapd as a crash does (SIGKILL)."""
        if self._process:
            self._process.kill()
            self._process.wait()

    def freeze(self) -> None:
        """Stop slapd without ending it (SIGSTOP): the kernel still takes its connections."""
        if self.pid is not None:
            os.kill(self.pid, signal.SIGSTOP)
            # The signal is delivered later; return when every thread has really stopped.
            os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def thaw(self) -> None:
        """Let a frozen slapd go on (SIGCONT)."""
        if self.pid is not None:
            os.kill(self.pid, signal.SIGCONT)

    def log_tail(self) -> str:
        """Return the end of what slapd has logged since its last start."""
        with contextlib.suppress(FileNotFoundError):
            log = (self.directory / "log").read_bytes()
            return log[-LOG_TAIL_BYTES:].decode(errors="replace").strip()
        return ""

    def _has_answered_or_ended(self) -> bool:
        if self.pid is None:
            return True
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as client:
            client.connect(str(self._socket))
            return True
        return False
