"""The routes of the HTTP server in one literal table, and what holds for all of them.

An answer is a function of a source and a request; it does no I/O, unless its row is `in_thread`.
"""

from __future__ import annotations

import asyncio
import logging
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

from ldaphealth.text.ascii_line import ascii_line
from ldaphealth.web import answers, metrics
from ldaphealth.web.access import Access, HttpCredentials, is_ours
from ldaphealth.web.in_thread import AnswerThreads, BusyError
from ldaphealth.web.source import BadRequestError, Source, UnknownNameError

log = logging.getLogger(__name__)

Answer = Callable[[Source, Request], Response]


class RouteRow(Struct, frozen=True):
    """A route. `in_thread`: its answer does I/O within a bound of its own, or has much to write."""

    path: str
    answer: Answer
    access: Access = Access.READER
    in_thread: bool = False


ROUTES = (
    RouteRow("/", answers.landing, in_thread=True),
    RouteRow("/live", answers.live, Access.ANYBODY),
    RouteRow("/ready", answers.ready, Access.HEALTH),
    RouteRow("/health/{cluster}", answers.cluster_health, Access.HEALTH),
    RouteRow("/health/{cluster}/{server}", answers.server_health, Access.HEALTH),
    RouteRow("/api/v1/status", answers.status, in_thread=True),
    RouteRow("/metrics", metrics.metrics, in_thread=True),
    RouteRow("/probe", metrics.probed, in_thread=True),
)
# A row may say otherwise in its answer, such as a page with a style.
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
STRANGE_HOST = "ask by an address or as localhost, not by another name: docs/http.md\n"
DEFECT = "a defect of the agent; its log has more\n"
BUSY = "busy with other questions of this kind; try again\n"


def application(
    source: Source,
    readers: Callable[[], HttpCredentials],
    rows: tuple[RouteRow, ...] = ROUTES,
    *,
    is_local: bool = False,
) -> ASGIApp:
    """Return all of it; `readers` are asked for each request, so that a reload can change them.

    `is_local`: only this machine reaches it, so that without credentials its browsers must not be
    led here by the name of somebody else (`access.is_ours`).
    """
    routes = [Route(row.path, _endpoint(row, source, readers, is_local)) for row in rows]
    made = Starlette(routes=routes, exception_handlers={HTTPException: _refused})
    made.router.redirect_slashes = False  # it would send people to the host that they name
    return _with_headers(made)


def _endpoint(
    row: RouteRow, source: Source, readers: Callable[[], HttpCredentials], is_local: bool
) -> Callable[[Request], Awaitable[Response]]:
    threads = AnswerThreads()  # its own: looks that wait for servers must not keep a scrape waiting

    def answer(request: Request) -> Response:
        try:
            return row.answer(source, request)
        except UnknownNameError as error:
            return answers.unknown(request, str(error))

    async def endpoint(request: Request) -> Response:
        refusal = _refusal(row, readers(), request, is_local)
        if refusal is not None:
            return refusal
        try:
            if row.in_thread:
                return await threads.run(partial(answer, request))
            return answer(request)
        except BadRequestError as error:
            return _line(400, f"{ascii_line(str(error), answers.LINE_CHARACTERS)}\n")
        except (BusyError, asyncio.CancelledError):  # cancelled: the server ends
            return _line(503, BUSY, {"Retry-After": "1"})
        except Exception:
            log.exception("a question is not answered", extra={"path": row.path})
            return _line(500, DEFECT)

    return endpoint


def _refusal(
    row: RouteRow, who: HttpCredentials, request: Request, is_local: bool
) -> Response | None:
    """Return what is said to those who may not ask; None: they may."""
    if not who.admits(row.access, request.headers.get("authorization", "")):
        return _line(401, "say who you are\n", {"WWW-Authenticate": who.challenge})
    # A health check must not fail for the name that it asks by.
    reads = is_local and who.is_everybody and row.access is Access.READER
    if reads and not is_ours(request.headers.get("host", "")):
        return _line(421, STRANGE_HOST)
    return None


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
