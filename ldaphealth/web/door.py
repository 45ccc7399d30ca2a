"""A listening socket that lets in a bounded number of visitors, and sends idle ones away for new.

server.py opens one for each port. uvicorn and asyncio bound neither connections nor those whose TLS
handshake never ends, so connections are accepted here and then handed to them.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable

MOST_VISITORS = 64
HANDSHAKE_SECONDS = 5.0
GOODBYE_SECONDS = 2.0  # for the close_notify of TLS
PAUSE_SECONDS = 0.2  # when the process has no descriptor left


class Visitor(asyncio.Protocol):
    """One connection: a protocol of asyncio that ends by its own deadlines.

    `closed` is done when the connection is; `is_busy` while an answer is being made.
    """

    closed: asyncio.Future[None]

    @property
    def is_busy(self) -> bool:
        """Tell whether to send another one away instead."""
        raise NotImplementedError


class Door:
    """At the bound, the visitor who has been here longest without being served goes.

    So neither silence nor dripping keeps a newcomer out who says at once what he wants: it takes
    as many new connections as there are places between his request and its answer.
    """

    def __init__(
        self,
        listener: socket.socket,
        welcome: Callable[[], Visitor],
        tls: ssl.SSLContext | None = None,
        most: int = MOST_VISITORS,
    ) -> None:
        listener.setblocking(False)
        self.tls = tls  # may be exchanged at any time; who is inside stays
        self._listener, self._welcome, self._most = listener, welcome, most
        self._visits: dict[asyncio.Task[None], Visitor] = {}  # the oldest first

    async def run(self) -> None:
        """Let in whoever comes, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                peer, _ = await loop.sock_accept(self._listener)
            except OSError:  # accept(2): the peer has gone, or there are no descriptors
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            if len(self._visits) < self._most or self._send_one_away():
                visitor = self._welcome()
                task = loop.create_task(self._visit(peer, visitor))
                self._visits[task] = visitor
                task.add_done_callback(lambda done: self._visits.pop(done, None))
            else:
                peer.close()
            await asyncio.sleep(0)  # in a flood, those who are inside get their turn

    def close(self) -> None:
        """Listen no more."""
        self._listener.close()

    def _send_one_away(self) -> bool:
        for task, visitor in self._visits.items():
            if not visitor.is_busy:
                task.cancel()
                del self._visits[task]
                return True
        return False

    async def _visit(self, peer: socket.socket, visitor: Visitor) -> None:
        """Stay until the connection is closed; being cancelled closes it."""
        loop = asyncio.get_running_loop()
        bounds = (
            {"ssl_handshake_timeout": HANDSHAKE_SECONDS, "ssl_shutdown_timeout": GOODBYE_SECONDS}
            if self.tls
            else {}
        )
        with contextlib.suppress(OSError), peer:
            transport, _ = await loop.connect_accepted_socket(
                lambda: visitor, peer, ssl=self.tls, **bounds
            )
            try:
                await visitor.closed
            finally:
                transport.abort()
