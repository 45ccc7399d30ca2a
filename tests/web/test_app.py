"""A route whose answer takes long runs in threads, a few at a time, and delays no other route."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from ldaphealth.web.app import Answer, Handler, RouteRow, application, at_once, in_thread
from ldaphealth.web.http_files import HttpFiles
from ldaphealth.web.in_thread import MOST_CALLS
from ldaphealth.web.source import Source
from tests.web.listening import Listening

SECRET = "geheim"


async def asked(app: object, path: str) -> tuple[int, bytes, dict[bytes, bytes]]:
    """Return status, body and headers of one request, without a socket."""
    sent: list[dict[str, object]] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "headers": [],
        "query_string": b"",
        "http_version": "1.1",
        "scheme": "http",
        "root_path": "",
    }
    await app(scope, receive, send)  # type: ignore[operator]
    return sent[0]["status"], sent[1]["body"], dict(sent[0]["headers"])  # type: ignore[return-value,call-overload]


def test_a_slow_answer_holds_up_nobody() -> None:
    gate = threading.Event()

    def slow(_: Source, __: Request) -> Response:
        return PlainTextResponse("slow" if gate.wait(10) else "late")

    def quick(_: Source, __: Request) -> Response:
        return PlainTextResponse("quick")

    rows = (RouteRow("/slow", in_thread(slow)), RouteRow("/quick", at_once(quick)))

    async def run() -> None:
        app = application(Listening().source, HttpFiles, rows)
        waiting = [asyncio.create_task(asked(app, "/slow")) for _ in range(MOST_CALLS)]
        await asyncio.sleep(0.05)
        assert (await asked(app, "/quick"))[:2] == (200, b"quick")
        status, _, headers = await asked(app, "/slow")
        assert (status, headers[b"retry-after"]) == (503, b"1")
        gate.set()
        assert {answer[:2] for answer in await asyncio.gather(*waiting)} == {(200, b"slow")}

    asyncio.run(run())


@pytest.mark.parametrize("kind", [at_once, in_thread])
def test_a_defect_of_ours_is_one_line_and_logged_once(
    caplog: pytest.LogCaptureFixture, kind: Callable[[Answer], Callable[[Source], Handler]]
) -> None:
    def broken(_: Source, __: Request) -> Response:
        raise KeyError(SECRET)

    app = application(Listening().source, HttpFiles, (RouteRow("/x", kind(broken)),))
    status, body, headers = asyncio.run(asked(app, "/x"))

    assert (status, body) == (500, b"internal error of the agent; see its log\n")
    assert headers[b"cache-control"] == b"no-store"
    assert [(each.levelname, each.getMessage()) for each in caplog.records] == [
        ("ERROR", "a request failed")
    ]
