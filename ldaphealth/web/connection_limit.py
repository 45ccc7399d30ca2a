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
PAUSE_SECONDS = 0.02  # when the process has no descriptor left


class LimitedConnection(asyncio.Protocol):
    """One connection: a protocol of asyncio that ends by its own deadlines.

    `closed` is done when the connection is; `is_busy` while an answer is being made.
    """

    closed: asyncio.Future[None]

    @property
    def is_busy(self) -> bool:
        """Tell whether to send another one away instead."""
        raise NotImplementedError


class ConnectionLimit:
    """At the bound, the visitor who has been here longest without being served goes.

    So neither silence nor dripping keeps a newcomer out who says at once what he wants: it takes
    as many new connections as there are places between his request and its answer.
    """

    def __init__(
        self,
        listener: socket.socket,
        welcome: Callable[[], LimitedConnection],
        tls: ssl.SSLContext | None = None,
        most: int = MOST_VISITORS,
    ) -> None:
        listener.setblocking(False)
        self.tls = tls  # may be exchanged at any time; who is inside stays
        self._listener, self._welcome, self._most = listener, welcome, most
        self._visits: dict[asyncio.Task[None], LimitedConnection] = {}  # the oldest first

    def open(self) -> None:
        """Let in whoever comes, from within the running event loop, until `close`."""
        asyncio.get_running_loop().add_reader(self._listener, self._welcome_one)

    def close(self) -> None:
        """Listen no more."""
        asyncio.get_running_loop().remove_reader(self._listener)
        self._listener.close()

    def _welcome_one(self) -> None:
        """Accept one: in a flood, those who are inside get their turn before the next one."""
        try:
            peer, _ = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError:  # accept(2): no descriptors are left, or no memory
            self._send_one_away()
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._listener)
            loop.call_later(PAUSE_SECONDS, self._open_again)
            return
        if len(self._visits) < self._most or self._send_one_away():
            peer.setblocking(False)
            self._let_in(peer)
        else:
            peer.close()

    def _open_again(self) -> None:
        if self._listener.fileno() >= 0:  # it may have been closed meanwhile
            self.open()

    def _let_in(self, peer: socket.socket) -> None:
        visitor = self._welcome()
        task = asyncio.get_running_loop().create_task(self._visit(peer, visitor))
        self._visits[task] = visitor

        def gone(done: asyncio.Task[None]) -> None:
            self._visits.pop(done, None)
            peer.close()  # also of a visit that was cancelled before it began

        task.add_done_callback(gone)

    def _send_one_away(self) -> bool:
        for task, visitor in self._visits.items():
            if not visitor.is_busy:
                task.cancel()
                del self._visits[task]
                return True
        return False

    async def _visit(self, peer: socket.socket, visitor: LimitedConnection) -> None:
        """Stay until the connection is closed; being cancelled closes it."""
        loop = asyncio.get_running_loop()
        bounds = (
            {"ssl_handshake_timeout": HANDSHAKE_SECONDS, "ssl_shutdown_timeout": GOODBYE_SECONDS}
            if self.tls
            else {}
        )
        with contextlib.suppress(OSError):
            transport, _ = await loop.connect_accepted_socket(
                lambda: visitor, peer, ssl=self.tls, **bounds
            )
            try:
                await visitor.closed
            finally:
                transport.abort()
