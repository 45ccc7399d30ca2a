"""The listeners in one thread of their own, with one event loop: HTTP, and HAProxy's agent-check.

cli/agent.py makes one when the configuration asks for it. uvicorn and starlette load only for HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import threading
from collections.abc import Callable

from ldaphealth.endpoint import Endpoint
from ldaphealth.settings import AgentSettings, HttpSettings
from ldaphealth.web.access import Readers, readers, tls_context
from ldaphealth.web.agent_check import AgentCheck, Teller
from ldaphealth.web.door import Door, Visitor
from ldaphealth.web.source import Source

log = logging.getLogger(__name__)

BACKLOG = 128
END_SECONDS = 1.0


class ListenError(Exception):
    """Why it cannot listen, in one line with the key of the configuration."""


class WebServer:
    """Listens from the beginning until `close`."""

    def __init__(self, source: Source, settings: AgentSettings) -> None:
        """Take the ports; ListenError when one cannot be had, or a file cannot be read."""
        self._source, self._http = source, settings.http
        self._loop = asyncio.new_event_loop()
        self._end = asyncio.Event()
        self._doors: list[Door] = []
        with contextlib.ExitStack() as undo:
            undo.callback(self._loop.close)
            if settings.haproxy:
                listener = undo.enter_context(_listener("agent.haproxy", settings.haproxy))
                teller = Teller(source)
                self._doors.append(Door(listener, lambda: AgentCheck(teller)))
                _warn_if("agent.haproxy", not settings.haproxy.is_loopback, settings.haproxy)
            if settings.http:
                self._readers, tls = _files_of(settings.http)
                listener = undo.enter_context(_listener("agent.http", settings.http.listen))
                self._http_door = Door(listener, self._http_visitor(), tls)
                self._doors.append(self._http_door)
                _warn_if("agent.http", settings.http.is_exposed, settings.http.listen)
            undo.pop_all()
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)
        self._thread.start()

    def renew(self) -> None:
        """Read certificate and credentials again, for those who come from now on; never raises."""
        if not self._http:
            return
        try:
            self._readers, self._http_door.tls = _files_of(self._http)
        except ListenError as error:
            log.error("the old ones are kept", extra={"error": str(error)})  # noqa: TRY400

    def close(self) -> None:
        """End all connections and the thread."""
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(END_SECONDS)

    def _http_visitor(self) -> Callable[[], Visitor]:
        from ldaphealth.web.app import application  # noqa: PLC0415  heavy, and not for HAProxy
        from ldaphealth.web.http_connection import connections  # noqa: PLC0415

        return connections(application(self._source, lambda: self._readers), self._loop)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        tasks = [asyncio.create_task(door.run()) for door in self._doors]
        await self._end.wait()
        for task in tasks:
            task.cancel()  # the runner ends those of the connections
        for door in self._doors:
            door.close()


def _listener(key: str, where: Endpoint) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(
            where.host, where.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        raise ListenError(
            f"{key}.listen: cannot listen on {where.host} port {where.port}: "
            f"{error.strerror or error}"
        ) from error


def _warn_if(key: str, exposed: bool, where: Endpoint) -> None:
    if exposed:
        what = f"{key}.listen: others than this machine may ask, in clear or without credentials"
        log.warning(what, extra={"host": where.host, "port": where.port})


def _files_of(settings: HttpSettings) -> tuple[Readers, ssl.SSLContext | None]:
    try:
        return readers(settings), tls_context(settings)
    except ValueError as error:
        raise ListenError(f"agent.http: {error}") from error
