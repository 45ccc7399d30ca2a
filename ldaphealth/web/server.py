"""The TCP servers in one thread with one event loop: HTTP, and HAProxy's agent-check.

agent/assembly.py starts it if one of them is configured. uvicorn and starlette are loaded for HTTP
only.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
from collections.abc import Callable

from msgspec.structs import replace

from ldaphealth.ldap.endpoint import Endpoint
from ldaphealth.settings import AgentSettings, HttpSettings
from ldaphealth.web.agent_check import AgentCheck, AgentCheckAnswers
from ldaphealth.web.connection_limit import ConnectionLimit, LimitedConnection
from ldaphealth.web.http_files import HttpFiles, read_http_files
from ldaphealth.web.source import Source

log = logging.getLogger(__name__)

BACKLOG = 1024  # TCP retries a connection beyond it after a second: too late for a check
END_SECONDS = 1.0


class ListenError(Exception):
    """The server cannot listen. The message is one line with the key of the configuration."""


class WebServer:
    """Listens until `close`."""

    def __init__(self, source: Source, settings: AgentSettings) -> None:
        """Open the ports. ListenError: one cannot be opened, or a file cannot be read."""
        self.listens: dict[str, str] = {}  # its addresses, by service
        self._source = replace(source, listens=self.listens)
        self._http = settings.http
        self._loop = asyncio.new_event_loop()
        self._end = asyncio.Event()
        self._limits: list[ConnectionLimit] = []
        with contextlib.ExitStack() as undo:
            undo.callback(self._loop.close)
            if settings.haproxy:
                listener = undo.enter_context(_listener("agent.haproxy", settings.haproxy.listen))
                answers = AgentCheckAnswers(source)
                self._limits.append(ConnectionLimit(listener, lambda: AgentCheck(answers)))
                listen = settings.haproxy.listen
                self.listens["haproxy"] = str(listen)
                _warn_if("agent.haproxy", not listen.is_loopback, listen)
            if settings.http:
                self._files = _files_of(settings.http)
                self.listens["http"] = _url(settings.http, self._files)
                listener = undo.enter_context(_listener("agent.http", settings.http.listen))
                create = self._http_connections(is_local=settings.http.listen.is_loopback)
                self._http_limit = ConnectionLimit(listener, create, self._files.tls)
                self._limits.append(self._http_limit)
                listen = settings.http.listen
                is_exposed = not listen.is_loopback and not self._files.is_guarded
                _warn_if("agent.http", is_exposed, listen)
            undo.pop_all()
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)
        self._thread.start()

    def reload(self) -> None:
        """Read certificate and credentials again, for new connections; never raises."""
        if not self._http:
            return
        try:
            self._files = _files_of(self._http)
            self._http_limit.tls = self._files.tls
        except ListenError as error:
            message = "the old certificate and credentials are kept"
            log.error(message, extra={"error": str(error)})  # noqa: TRY400

    def close(self) -> None:
        """End all connections and the thread."""
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(END_SECONDS)

    def _http_connections(self, *, is_local: bool) -> Callable[[], LimitedConnection]:
        from ldaphealth.web.app import application  # noqa: PLC0415  heavy, and not for HAProxy
        from ldaphealth.web.http_connection import connections  # noqa: PLC0415

        app = application(self._source, lambda: self._files, is_local=is_local)
        return connections(app, self._loop, lambda: self._files.client_names)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        for limit in self._limits:
            limit.open()
        await self._end.wait()
        for limit in self._limits:
            limit.close()  # the runner ends the connections


def _listener(key: str, where: Endpoint) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(
            where.host, where.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        both = where.host == "::" and socket.has_dualstack_ipv6()
        listener = socket.create_server(
            address[:2], family=family, backlog=BACKLOG, dualstack_ipv6=both
        )
    except OSError as error:
        reason = (error.strerror or str(error)).partition(" (while")[0]  # it repeats the address
        raise ListenError(
            f"{key}.listen: cannot listen on {where.host} port {where.port}: {reason}"
        ) from error
    # Connections inherit it. uvicorn writes head and body apart; without it the body would wait 40
    # ms for the client's acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _warn_if(key: str, exposed: bool, where: Endpoint) -> None:
    if exposed:
        message = f"{key}.listen: other hosts have access, without TLS or without credentials"
        log.warning(message, extra={"host": where.host, "port": where.port})


def _files_of(settings: HttpSettings) -> HttpFiles:
    try:
        return read_http_files(settings)
    except ValueError as error:
        raise ListenError(f"agent.http: {error}") from error


def _url(settings: HttpSettings, files: HttpFiles) -> str:
    return f"http{'s' if files.tls else ''}://{settings.listen}"
