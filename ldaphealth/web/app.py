"""The routes of the HTTP server in one literal table, with access, errors and headers of all.

An answer is a function of a source and a request. It does no I/O, unless it is `in_thread`.
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
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ldaphealth.text.ascii_line import ascii_line
from ldaphealth.web import answers, metrics, past_answers, past_pages
from ldaphealth.web.access import Access, is_address_or_localhost, is_of_another_site
from ldaphealth.web.compression import compressed
from ldaphealth.web.http_files import HttpFiles
from ldaphealth.web.in_thread import AnswerThreads, BusyError
from ldaphealth.web.logins import Logins, TooManyLoginsError
from ldaphealth.web.source import BadRequestError, Source, UnknownNameError, UnreadableError

log = logging.getLogger(__name__)

Answer = Callable[[Source, Request], Response]
Handler = Callable[[Request], Awaitable[Response]]


def at_once(answer: Answer) -> Callable[[Source], Handler]:
    """Return the handler of an answer without I/O."""

    def made(source: Source) -> Handler:
        async def handler(request: Request) -> Response:
            return answer(source, request)

        return handler

    return made


def in_thread(answer: Answer) -> Callable[[Source], Handler]:
    """Return the handler of an answer that is large, or does I/O with a time limit of its own."""
    return kept_in_thread(lambda: answer)


def kept_in_thread(make: Callable[[], Answer]) -> Callable[[Source], Handler]:
    """Return the same of an answer that keeps something from one request to the next."""

    def made(source: Source) -> Handler:
        threads = AnswerThreads()  # of this route: a large page must not delay a scrape
        answer = make()

        def response(request: Request) -> Response:
            return compressed(answer(source, request), request)

        async def handler(request: Request) -> Response:
            return await threads.run(partial(response, request))

        return handler

    return made


class RouteRow(Struct, frozen=True):
    """A route. `make` returns its handler. `for_any_site`: pages of other sites may cause it.

    `is_json`: what it refuses is JSON too.
    """

    path: str
    make: Callable[[Source], Handler]
    access: Access = Access.READER
    for_any_site: bool = True
    is_json: bool = False


ROUTES = (
    RouteRow("/", kept_in_thread(answers.landing)),
    RouteRow("/live", at_once(answers.live), Access.PUBLIC),
    RouteRow("/ready", at_once(answers.ready), Access.HEALTH),
    RouteRow("/health/{cluster}", at_once(answers.cluster_health), Access.HEALTH),
    RouteRow("/health/{cluster}/{server}", at_once(answers.server_health), Access.HEALTH),
    RouteRow("/history/{target:path}", in_thread(past_pages.page)),
    RouteRow("/api/v1/status", in_thread(answers.status)),
    RouteRow("/api/v1/history/{kind}", in_thread(past_answers.answer), is_json=True),
    RouteRow("/metrics", kept_in_thread(metrics.scraping)),
    RouteRow("/probe", metrics.probing, for_any_site=False),
)
# An answer may have other values, such as a page with a style.
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
OTHER_HOST = "the host must be an address or localhost, not another name: docs/http.md\n"
OTHER_SITE = "a page of another site must not cause probes of servers: docs/http.md\n"
INTERNAL_ERROR = "internal error of the agent; see its log\n"
BUSY = "busy with other requests of this kind; try again"
TOO_MANY = "too many requests from this address with credentials that were not checked yet\n"


class _Gate(Struct, frozen=True):
    """Decides which requests are admitted."""

    files: Callable[[], HttpFiles]
    logins: Logins
    is_local: bool

    async def refusal(self, row: RouteRow, request: Request) -> Response | None:
        """Return the response to a request that is not admitted, None for one that is."""
        headers = request.headers
        if not row.for_any_site and is_of_another_site(
            headers.getlist("sec-fetch-site"), headers.getlist("origin"), headers.get("host", "")
        ):
            return _line(403, OTHER_SITE)
        credentials = self.files().credentials
        if credentials.are_required(row.access):
            authorization = headers.get("authorization", "")
            host = request.client.host if request.client else ""
            try:
                if not authorization or not await self.logins.accept(
                    credentials, authorization, host
                ):
                    challenge = {"WWW-Authenticate": credentials.challenge}
                    return _line(401, "credentials are required\n", challenge)
            except TooManyLoginsError:
                return _line(429, TOO_MANY, {"Retry-After": "1"})
        # A health check must not fail because of its Host header.
        checks_host = self.is_local and credentials.is_open and row.access is Access.READER
        if checks_host and not is_address_or_localhost(headers.get("host", "")):
            return _line(421, OTHER_HOST)
        return None


def application(
    source: Source,
    files: Callable[[], HttpFiles],
    rows: tuple[RouteRow, ...] = ROUTES,
    *,
    is_local: bool = False,
) -> ASGIApp:
    """Return the HTTP application. `files` is called for each request: a reload may change them.

    `is_local`: only this host reaches it. Without credentials the Host header must then be an
    address or localhost (`access.is_address_or_localhost`).
    """
    gate = _Gate(files, Logins(), is_local)
    routes = [Route(row.path, _endpoint(row, source, gate)) for row in rows]
    inner = Starlette(routes=routes, exception_handlers={HTTPException: _refused})
    inner.router.redirect_slashes = False  # it would redirect to the host in the Host header
    return _with_headers(inner, files)


def _endpoint(
    row: RouteRow, source: Source, gate: _Gate
) -> Callable[[Request], Awaitable[Response]]:
    handler = row.make(source)

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except UnknownNameError as error:
            if row.is_json:
                return _refusal(row, 404, str(error))
            return answers.unknown(request, str(error))

    async def endpoint(request: Request) -> Response:
        try:
            refusal = await gate.refusal(row, request)
            return await answer(request) if refusal is None else refusal
        except BadRequestError as error:
            return _refusal(row, 400, str(error))
        except UnreadableError as error:
            return _refusal(row, 503, str(error))
        except (BusyError, asyncio.CancelledError):  # cancelled: the server ends
            return _refusal(row, 503, BUSY, {"Retry-After": "1"})
        except Exception:
            log.exception("a request failed", extra={"path": row.path})
            return _line(500, INTERNAL_ERROR)

    return endpoint


async def _refused(_: Request, error: Exception) -> Response:
    """Return the response to an error of starlette: no such path, no such method."""
    if not isinstance(error, HTTPException):
        raise error
    text = {404: "no such page; / lists the pages", 405: "only GET and HEAD are allowed"}
    line = text.get(error.status_code, error.detail)
    return _line(error.status_code, f"{line}\n", dict(error.headers or {}))


def _refusal(
    row: RouteRow, status: int, text: str, headers: dict[str, str] | None = None
) -> Response:
    """Return an error as one line: of text, or of JSON."""
    line = ascii_line(text, answers.LINE_CHARACTERS)
    if row.is_json:
        return JSONResponse({"error": line}, status, headers)
    return _line(status, f"{line}\n", headers)


def _line(status: int, text: str, headers: dict[str, str] | None = None) -> Response:
    return PlainTextResponse(text, status, headers)


def _with_headers(inner: ASGIApp, files: Callable[[], HttpFiles]) -> ASGIApp:
    async def outer(scope: Scope, receive: Receive, send: Send) -> None:
        received = dict(scope.get("headers", ()))
        length = received.get(b"content-length", b"0")
        has_body = b"transfer-encoding" in received or length != b"0"

        async def send_more(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Date"] = formatdate(usegmt=True)  # RFC 9110 6.6.1
                for name, value in {**HEADERS, **files().headers}.items():
                    headers.setdefault(name, value)
                if has_body:  # it is not read
                    headers["Connection"] = "close"
            await send(message)

        await inner(scope, receive, send_more)

    return outer
