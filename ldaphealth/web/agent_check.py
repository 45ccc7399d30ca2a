"""HAProxy's agent-check: the name of a server comes in one line, its verdict goes out in one.

server.py listens. HAProxy sends the text of `agent-send` and reads one line. Where there is nothing
fresh to tell, the connection is closed without a word, and HAProxy keeps what it knows.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from ldaphealth.sinks.haproxy import line
from ldaphealth.web.connection_limit import LimitedConnection
from ldaphealth.web.source import Source, UnknownNameError

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 5.0  # from the connection to the end of it
MOST_BYTES = 256  # of a question
MOST_COMPLAINTS = 32  # names that nobody knows, each told once


class AgentCheck(LimitedConnection):
    """One connection: it ends with the answer, or at its deadline."""

    is_busy = False  # an answer is made at once

    def __init__(self, answer: Callable[[str], str]) -> None:
        loop = asyncio.get_running_loop()
        self.closed = loop.create_future()
        self._answer = answer
        self._asked = bytearray()
        self._deadline: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        loop = asyncio.get_running_loop()
        self._deadline = loop.call_later(PATIENCE_SECONDS, transport.abort)

    def data_received(self, data: bytes) -> None:
        """Answer one line, and hang up."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        self._asked += data
        question, end, _ = self._asked.partition(b"\n")
        if end and len(question) <= MOST_BYTES:
            transport.write(self._answer(question.decode("ascii", "replace").strip()).encode())
            transport.close()
        elif len(self._asked) > MOST_BYTES:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """End."""
        if self._deadline:
            self._deadline.cancel()
        if not self.closed.done():
            self.closed.set_result(None)


class AgentCheckAnswers:
    """What is answered on a name; a name that the configuration does not have is logged once."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._complained: set[str] = set()

    def __call__(self, name: str) -> str:
        """Return a line with its end, or nothing: that changes nothing in HAProxy."""
        cluster, _, server_name = name.partition("/")
        try:
            server = self._source.server(cluster, server_name)
        except UnknownNameError as error:
            if name not in self._complained and len(self._complained) < MOST_COMPLAINTS:
                self._complained.add(name)
                log.warning("HAProxy is not answered", extra={"error": str(error)})
            return ""
        verdict = self._source.verdict(server)
        return "" if verdict is None else line(verdict, server.weight)
