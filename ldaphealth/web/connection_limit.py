"""A listening socket with a bounded number of connections. New ones replace idle ones.

server.py opens one for each port. uvicorn and asyncio limit neither connections nor TLS handshakes
that never end. So connections are accepted here and then passed to them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Callable

log = logging.getLogger(__name__)

MOST_CONNECTIONS = 64
HANDSHAKE_SECONDS = 5.0
SHUTDOWN_SECONDS = 2.0  # for the close_notify of TLS
PAUSE_SECONDS = 0.02  # when the process has no descriptor left


class LimitedConnection(asyncio.Protocol):
    """One connection: a protocol of asyncio that ends at its own deadlines.

    `closed` is done when the connection is closed.
    """

    closed: asyncio.Future[None]

    @property
    def is_busy(self) -> bool:
        """Return whether a request is being answered. Then it is not closed for another one."""
        raise NotImplementedError


class ConnectionLimit:
    """At the bound, the oldest connection that is not being answered is closed for a new one.

    So clients that send nothing, or one byte at a time, do not keep out a client that sends its
    request at once: it is closed only if as many newer ones as the bound arrive before its answer.
    """

    def __init__(
        self,
        listener: socket.socket,
        create: Callable[[], LimitedConnection],
        tls: ssl.SSLContext | None = None,
        most: int = MOST_CONNECTIONS,
    ) -> None:
        listener.setblocking(False)
        self.tls = tls  # may be replaced at any time; open connections keep the old one
        self._listener, self._create, self._most = listener, create, most
        self._connections: dict[asyncio.Task[None], LimitedConnection] = {}  # the oldest first

    def open(self) -> None:
        """Accept connections until `close`. It must be called in the running event loop."""
        asyncio.get_running_loop().add_reader(self._listener, self._accept)

    def close(self) -> None:
        """Stop listening."""
        asyncio.get_running_loop().remove_reader(self._listener)
        self._listener.close()

    def _accept(self) -> None:
        """Accept one connection only, so that in a flood the open ones are served as well."""
        try:
            peer, _ = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError as error:  # accept(2): no descriptors are left, or no memory
            log.error("cannot accept connections by TCP", extra={"error": str(error)})  # noqa: TRY400
            self._close_oldest_idle()
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._listener)
            loop.call_later(PAUSE_SECONDS, self._reopen)
            return
        if len(self._connections) < self._most or self._close_oldest_idle():
            peer.setblocking(False)
            self._start(peer)
        else:
            peer.close()

    def _reopen(self) -> None:
        if self._listener.fileno() >= 0:  # it may have been closed meanwhile
            self.open()

    def _start(self, peer: socket.socket) -> None:
        connection = self._create()
        task = asyncio.get_running_loop().create_task(self._serve(peer, connection))
        self._connections[task] = connection

        def ended(done: asyncio.Task[None]) -> None:
            self._connections.pop(done, None)
            peer.close()  # also if the task was cancelled before it began

        task.add_done_callback(ended)

    def _close_oldest_idle(self) -> bool:
        """Close a connection; False if all are busy."""
        for task, connection in self._connections.items():
            if not connection.is_busy:
                task.cancel()
                del self._connections[task]
                return True
        return False

    async def _serve(self, peer: socket.socket, connection: LimitedConnection) -> None:
        """Wait until the connection is closed. Cancelling the task closes it."""
        loop = asyncio.get_running_loop()
        timeouts = (
            {"ssl_handshake_timeout": HANDSHAKE_SECONDS, "ssl_shutdown_timeout": SHUTDOWN_SECONDS}
            if self.tls
            else {}
        )
        with contextlib.suppress(OSError):
            transport, _ = await loop.connect_accepted_socket(
                lambda: connection, peer, ssl=self.tls, **timeouts
            )
            try:
                await connection.closed
            finally:
                transport.abort()
