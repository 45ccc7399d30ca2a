"""One HTTP connection of uvicorn, with a deadline for every part of it.

uvicorn limits only the idle time between two requests. A client that sends one byte a second, or
never reads its answer, could keep a connection open indefinitely. h11 limits the size of a head
only while its end is missing, so a head that comes at once could have 256 KiB.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from typing import TYPE_CHECKING

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.server import ServerState

from ldaphealth.web.address_log import AddressLog
from ldaphealth.web.connection_limit import LimitedConnection

if TYPE_CHECKING:
    from starlette.types import ASGIApp

HEAD_SECONDS = 5.0  # from the connection to the end of the first head, all of it
ANSWER_SECONDS = 30.0  # from the head to the end of the answer; a route with I/O has its own bound
KEEP_ALIVE_SECONDS = 10.0  # from one answer, which must be read, to the end of the next head
IDLE_SECONDS = 5  # between two requests, until uvicorn closes the connection
MOST_HEAD_BYTES = 16384  # with the request line, the line ends, and the empty line


class HttpConnection(H11Protocol, LimitedConnection):
    """One connection. It ends at its deadline, whatever the client does."""

    def __init__(
        self,
        config: Config,
        state: ServerState,
        loop: asyncio.AbstractEventLoop,
        may_connect: Callable[[asyncio.Transport], bool],
    ) -> None:
        super().__init__(config, state, {}, loop)
        self._may_connect = may_connect
        self.closed = loop.create_future()
        self._deadline: asyncio.TimerHandle | None = None
        self._followed: RequestResponseCycle | None = None
        self._unread = b""

    @property
    def is_busy(self) -> bool:
        """Return whether a request is being answered; False if the client does not read."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete and not self.flow.write_paused

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the deadline of the first head. End a connection of a client that may not."""
        super().connection_made(transport)
        self._end_in(HEAD_SECONDS)
        if not self._may_connect(transport):
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the deadline."""
        super().connection_lost(exc)
        if self._deadline:
            self._deadline.cancel()
        if not self.closed.done():
            self.closed.set_result(None)

    def data_received(self, data: bytes) -> None:
        """Handle data. A protocol error in the middle of an answer aborts the connection."""
        self._unread += data
        self._read()
        self._follow()

    def send_400_response(self, msg: str) -> None:
        """Answer a protocol error. An answer that is in progress is dropped."""
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None:
            cycle.disconnected = True
        super().send_400_response(msg)

    def on_response_complete(self) -> None:
        """Start the deadline of the next head."""
        self._end_in(KEEP_ALIVE_SECONDS)
        super().on_response_complete()
        self._read()
        self._follow()

    def _read(self) -> None:
        """Pass on what was received: of a head not more than it may have.

        The next request is kept until the answer is complete, and nothing more is received.
        """
        try:
            while self._unread and not self.transport.is_closing():
                if self.conn.their_state is h11.DONE:
                    self.flow.pause_reading()
                    break
                most = len(self._unread)
                if self.conn.their_state is h11.IDLE:
                    most = max(1, MOST_HEAD_BYTES - len(self.conn.trailing_data[0]))
                data, self._unread = self._unread[:most], self._unread[most:]
                super().data_received(data)
        except h11.ProtocolError:
            self.transport.abort()

    def _follow(self) -> None:
        """Start the deadline of the answer, once for each request."""
        if self.cycle is not self._followed:
            self._followed = self.cycle
            self._end_in(ANSWER_SECONDS)

    def _end_in(self, seconds: float) -> None:
        if self._deadline:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(seconds, self.transport.abort)


def names_of(transport: asyncio.BaseTransport) -> Iterator[str]:
    """Yield each subjectAltName of the certificate that the client presented."""
    certificate = transport.get_extra_info("peercert") or {}
    for kind, name in certificate.get("subjectAltName", ()):
        if kind != "IP Address":
            yield name
            continue
        with contextlib.suppress(ValueError):  # OpenSSL writes IPv6 in full
            yield str(ip_address(name))


def connections(
    application: ASGIApp,
    loop: asyncio.AbstractEventLoop,
    client_names: Callable[[], frozenset[str]] = frozenset,
) -> Callable[[], HttpConnection]:
    """Return the factory of connections. Of uvicorn's messages only errors are logged.

    `client_names`: the certificate of a client must have one of them, if there are any.
    """
    config = Config(
        application,
        interface="asgi3",
        lifespan="off",
        ws="none",
        log_config=None,
        log_level="error",
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_keep_alive=IDLE_SECONDS,
        h11_max_incomplete_event_size=MOST_HEAD_BYTES - 1,
    )
    config.load()
    state = ServerState()
    refused = AddressLog("a client certificate has none of the names in client_allowed_sans")

    def may_connect(transport: asyncio.Transport) -> bool:
        names = client_names()
        if not names or not names.isdisjoint(names_of(transport)):
            return True
        refused.warn(transport.get_extra_info("peername", ("",))[0])
        return False

    return lambda: HttpConnection(config, state, loop, may_connect)
