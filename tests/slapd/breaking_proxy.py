"""A TCP proxy whose connections break: through it a consumer's link to its provider never lasts."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from dataclasses import dataclass, field
from time import monotonic
from typing import Self
from urllib.parse import urlsplit

from demo import ports

CHUNK_BYTES = 1 << 16


@dataclass
class BreakingProxy:
    """Stands before the server at `uri`, and closes each connection after so long."""

    uri: str
    lasts_seconds: float
    port: int = field(default=0, init=False)
    _open: contextlib.ExitStack = field(default_factory=contextlib.ExitStack, init=False)

    def __enter__(self) -> Self:
        reservation = ports.reserve(1, ("127.0.0.1",))
        self._open.callback(reservation.release)
        self.port = reservation.ports[0]
        self._listener = self._open.enter_context(socket.create_server(("127.0.0.1", self.port)))
        self._done = threading.Event()
        thread = threading.Thread(target=self._serve, name="proxy")
        thread.start()
        self._open.callback(thread.join)
        self._open.callback(self._done.set)
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @property
    def front(self) -> str:
        """Return the URI at which it listens."""
        return f"ldap://127.0.0.1:{self.port}"

    def _serve(self) -> None:
        """Serve one connection after the other: a consumer has one."""
        target = urlsplit(self.uri)
        while not self._done.is_set():
            if not select.select([self._listener], [], [], 0.1)[0]:
                continue
            client, _ = self._listener.accept()
            with (
                client,
                contextlib.suppress(OSError),
                socket.create_connection((target.hostname, target.port), 5.0) as server,
            ):
                self._forward(client, server)

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        end = monotonic() + self.lasts_seconds
        other = {client: server, server: client}
        while monotonic() < end and not self._done.is_set():
            for readable in select.select([*other], [], [], 0.05)[0]:
                received = readable.recv(CHUNK_BYTES)
                if not received:
                    return
                other[readable].sendall(received)
