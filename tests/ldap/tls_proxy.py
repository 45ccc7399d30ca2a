"""A real HAProxy that does TLS, with OpenSSL, before a server of the demo, and logs what resumed.

Debian's slapd has GnuTLS and resumes no TLS session.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from demo import ports, wait
from demo.certificates import Authority
from demo.node import Node
from demo.running_program import RunningProgram
from tests.slapd import haproxy

HOST = "127.0.0.1"
CONFIG = """\
global
  log stdout format raw local0
  stats socket {directory}/admin.sock
defaults
  mode tcp
  log global
  log-format resumed=%[ssl_fc_is_resumed]
  timeout connect 5s
  timeout client 30s
  timeout server 30s
listen ldaps
  bind {where} ssl crt {certificate} {options}
  server ldap1 {behind}
"""


@dataclass
class TlsProxy:
    """One HAProxy that does TLS, with a certificate of `authority`, before a server."""

    node: Node
    directory: Path
    authority: Authority
    options: str = ""
    hosts: Sequence[str] = (HOST,)
    running: RunningProgram = field(init=False)

    def __enter__(self) -> Self:
        self._ports = ports.reserve(1, (HOST,))
        self.start(self.authority)
        return self

    def __exit__(self, *_: object) -> None:
        self.running.kill()
        self._ports.release()

    @property
    def uri(self) -> str:
        """Return where it listens, on the first of its hosts."""
        host, port = self.address
        return f"ldaps://{host}:{port}"

    @property
    def address(self) -> tuple[str, int]:
        """Return the same for sockets."""
        return HOST, self._ports.ports[0]

    def start(self, authority: Authority) -> None:
        """Start with a new certificate of an authority."""
        issued = authority.issue("proxy", (HOST,))
        certificate = self.directory / "both.pem"
        certificate.write_bytes(issued.chain.read_bytes() + issued.key.read_bytes())
        config = CONFIG.format(
            directory=self.directory,
            where=",".join(f"{host}:{self._ports.ports[0]}" for host in self.hosts),
            certificate=certificate,
            options=self.options,
            behind=self.node.uri.removeprefix("ldap://"),
        )
        self.running = haproxy.start(config, self.directory)

    def resumed(self, count: int) -> Sequence[bool]:
        """Return which of the connections, that many, resumed a TLS session."""

        def found() -> Sequence[str]:
            return re.findall(r"resumed=(\d)", self.running.log())

        wait.until(lambda: len(found()) == count, 10.0, f"HAProxy has not logged {count}")
        return [each == "1" for each in found()]
