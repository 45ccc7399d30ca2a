"""The routes of the HTTP server in one literal table, and what holds for all of them.

An answer is a function of a source and a request; it does no I/O, unless its row is `in_thread`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from functools import partial

from msgspec import Struct
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ldaphealth.web import answers, metrics
from ldaphealth.web.access import Access, Readers
from ldaphealth.web.in_thread import BusyError, Threads
from ldaphealth.web.source import Source, UnknownNameError

Answer = Callable[[Source, Request], Response]


class Row(Struct, frozen=True):
    """A route. `in_thread`: its answer does I/O within a bound of its own, or has much to write."""

    path: str
    answer: Answer
    access: Access = Access.READER
    in_thread: bool = False


ROWS = (
    Row("/", answers.landing, in_thread=True),
    Row("/live", answers.live, Access.ANYBODY),
    Row("/ready", answers.ready, Access.HEALTH),
    Row("/health/{cluster}", answers.cluster_health, Access.HEALTH),
    Row("/health/{cluster}/{server}", answers.server_health, Access.HEALTH),
    Row("/api/v1/status", answers.status, in_thread=True),
    Row("/metrics", metrics.metrics, in_thread=True),
    Row("/probe", metrics.probed, in_thread=True),
)
# A row may say otherwise in its answer, such as a page with a style.
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
BUSY = "busy with other questions of this kind; try again\n"


def application(
    source: Source, readers: Callable[[], Readers], rows: tuple[Row, ...] = ROWS
) -> ASGIApp:
    """Return all of it; `readers` are asked for each request, so that a reload can change them."""
    routes = [Route(row.path, _endpoint(row, source, readers)) for row in rows]
    made = Starlette(routes=routes, exception_handlers={HTTPException: _refused})
    made.router.redirect_slashes = False  # it would send people to the host that they name
    return _with_headers(made)


def _endpoint(
    row: Row, source: Source, readers: Callable[[], Readers]
) -> Callable[[Request], Awaitable[Response]]:
    threads = Threads()  # its own: looks that wait for servers must not keep a scrape waiting

    async def endpoint(request: Request) -> Response:
        who = readers()
        if not who.admits(row.access, request.headers.get("authorization", "")):
            return _line(401, "say who you are\n", {"WWW-Authenticate": who.challenge})
        try:
            if row.in_thread:
                return await threads.run(partial(row.answer, source, request))
            return row.answer(source, request)
        except UnknownNameError as error:
            return answers.unknown(request, str(error))
        except answers.BadQuestionError as error:
            return _line(400, f"{error}\n")
        except (BusyError, asyncio.CancelledError):  # cancelled: the server ends
            return _line(503, BUSY, {"Retry-After": "1"})

    return endpoint


async def _refused(_: Request, error: Exception) -> Response:
    """Tell what starlette refuses: no such path, no such method."""
    if not isinstance(error, HTTPException):
        raise error
    text = {404: "no such page; / lists what there is", 405: "only GET and HEAD"}
    line = text.get(error.status_code, error.detail)
    return _line(error.status_code, f"{line}\n", dict(error.headers or {}))


def _line(status: int, text: str, headers: dict[str, str] | None = None) -> Response:
    return PlainTextResponse(text, status, headers)


def _with_headers(inner: ASGIApp) -> ASGIApp:
    async def outer(scope: Scope, receive: Receive, send: Send) -> None:
        asked = dict(scope.get("headers", ()))
        has_body = b"transfer-encoding" in asked or asked.get(b"content-length", b"0") != b"0"

        async def send_more(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Date"] = formatdate(usegmt=True)  # RFC 9110 6.6.1
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if has_body:  # nobody reads it
                    headers["Connection"] = "close"
            await send(message)

        await inner(scope, receive, send_more)

    return outer
