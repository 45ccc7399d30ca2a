"""HAProxy's agent-check: one line with the name of a server in, one line with its verdict out.

server.py listens. HAProxy sends the text of `agent-send` and reads one line. Without a fresh
verdict the connection is closed without data, and HAProxy keeps the state of the server.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from ldaphealth.sinks.haproxy import line
from ldaphealth.web.connection_limit import LimitedConnection
from ldaphealth.web.source import Source, UnknownNameError

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = 5.0  # for the whole connection
MOST_BYTES = 256  # of a request
MOST_WARNINGS = 32  # unknown names, each logged once


class AgentCheck(LimitedConnection):
    """One connection. It ends with the answer, or at its deadline."""

    is_busy = False  # a request is answered at once

    def __init__(self, answer: Callable[[str], str]) -> None:
        loop = asyncio.get_running_loop()
        self.closed = loop.create_future()
        self._answer = answer
        self._received = bytearray()
        self._deadline: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the deadline."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        loop = asyncio.get_running_loop()
        self._deadline = loop.call_later(TIMEOUT_SECONDS, transport.abort)

    def data_received(self, data: bytes) -> None:
        """Answer one line, and close the connection."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        self._received += data
        request, end, _ = self._received.partition(b"\n")
        if end and len(request) <= MOST_BYTES:
            transport.write(self._answer(request.decode("ascii", "replace").strip()).encode())
            transport.close()
        elif len(self._received) > MOST_BYTES:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Cancel the deadline."""
        if self._deadline:
            self._deadline.cancel()
        if not self.closed.done():
            self.closed.set_result(None)


class AgentCheckAnswers:
    """The answers on names. A name that is not in the configuration is logged once."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._logged: set[str] = set()

    def __call__(self, name: str) -> str:
        """Return a line with its end. An empty one changes nothing in HAProxy."""
        cluster, _, server_name = name.partition("/")
        try:
            server = self._source.server(cluster, server_name)
        except UnknownNameError as error:
            if name not in self._logged and len(self._logged) < MOST_WARNINGS:
                self._logged.add(name)
                log.warning("unknown name in an agent-check", extra={"error": str(error)})
            return ""
        verdict = self._source.verdict(server)
        return "" if verdict is None else line(verdict, server.weight)
