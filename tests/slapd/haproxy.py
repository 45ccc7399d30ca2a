"""A real HAProxy with examples/haproxy.cfg before the demo cluster, asked through its socket."""

from __future__ import annotations

import csv
import re
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from demo import ports, wait
from demo.cluster import Cluster
from demo.programs import find
from demo.running_program import RunningProgram

EXAMPLE = Path(__file__).parents[2] / "examples" / "haproxy.cfg"
HOST = "127.0.0.1"


def program() -> Path:
    """Return where HAProxy is."""
    return find("haproxy", "haproxy")


def start(config: str, directory: Path) -> RunningProgram:
    """Start one in the foreground, whose admin.sock is in the directory."""
    file, admin = directory / "haproxy.cfg", directory / "admin.sock"
    file.write_text(config)
    admin.unlink(missing_ok=True)  # of one that was killed
    running = RunningProgram([program(), "-db", "-f", file], directory / "haproxy.log")
    running.start(admin.exists, 10.0, "HAProxy has no socket")
    return running


@dataclass
class Haproxy:
    """One process in the foreground; a context manager."""

    cluster: Cluster
    directory: Path
    agent_port: int
    running: RunningProgram = field(init=False)

    def __enter__(self) -> Self:
        self._ports = ports.reserve(1, (HOST,))
        self.running = start(self._config(), self.directory)
        return self

    def __exit__(self, *_: object) -> None:
        self.running.kill()
        self._ports.release()

    def log(self) -> str:
        """Return what it has logged."""
        return self.running.log()

    def say(self, command: str) -> str:
        """Say something to its socket, and return what it answers."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(5.0)
            client.connect(str(self.directory / "admin.sock"))
            client.sendall(command.encode() + b"\n")
            return b"".join(iter(lambda: client.recv(65536), b"")).decode()

    def server(self, name: str) -> dict[str, str]:
        """Return its row of `show stat`."""
        rows = csv.DictReader(self.say("show stat").removeprefix("# ").splitlines())
        return next(row for row in rows if row["svname"] == name)

    def wait_for(self, name: str, status: str, seconds: float, weight: str = "") -> None:
        """Wait until a server has this status, and this weight."""

        def is_so() -> bool:
            row = self.server(name)
            return row["status"].startswith(status) and weight in ("", row["weight"])

        try:
            wait.until(is_so, seconds, f"{name} is not {status} {weight}")
        except TimeoutError as error:
            raise AssertionError(f"{error}: {self.server(name)}; {self.log()}") from error

    def connect(self) -> socket.socket:
        """Connect as a client does; HAProxy chooses the server."""
        return socket.create_connection((HOST, self._ports.ports[0]), 5.0)

    def _config(self) -> str:
        """Return the example, with the addresses of here and shorter intervals."""
        text = EXAMPLE.read_text()
        for number, node in enumerate(self.cluster.nodes, 1):
            where = node.uri.removeprefix("ldap://")
            text = text.replace(f"192.0.2.{10 + number}:389", where)
        replaced = (
            ("bind :389", f"bind {HOST}:{self._ports.ports[0]}"),
            ("/run/haproxy/admin.sock", str(self.directory / "admin.sock")),
            ("agent-port 8390", f"agent-port {self.agent_port}"),
            ("agent-inter 2s", "agent-inter 300ms"),
            ('"example/', '"c/'),
            ("weight 50 agent-send", "weight 100 agent-send"),
        )
        for old, new in replaced:
            assert old in text, old
            text = text.replace(old, new)
        assert not re.search(r"192\.0\.2\.|example/", text)
        return text
