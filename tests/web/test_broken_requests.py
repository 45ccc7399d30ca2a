"""Requests that break the protocol, or smuggle a second one: one answer at most, and no log."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ldaphealth.ldap.endpoint import Endpoint
from ldaphealth.settings import HttpSettings
from ldaphealth.web.http_connection import MOST_HEAD_BYTES
from tests.web.listening import HOST, Listening, received, verdict

SECOND = b"GET /live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
GET = b"GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\n"
TOKEN = b"Authorization: Bearer t0ken\r\n"

BODIES = {
    "two lengths": b"Content-Length: 5\r\nContent-Length: 6\r\n",
    "length and chunks": b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    "chunked twice": b"Transfer-Encoding: chunked, chunked\r\n",
    "an encoding that is none": b"Transfer-Encoding: identity\r\n",
    "a length below zero": b"Content-Length: -1\r\n",
    "a hexadecimal length": b"Content-Length: 0x5\r\n",
    "a length with a sign": b"Content-Length: +5\r\n",
    "a body that is the next request": b"Content-Length: %d\r\n" % len(SECOND),
    "an expectation": b"Expect: 100-continue\r\nContent-Length: 5\r\n",
    "websocket": b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n",
    "h2c": b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\nConnection: Upgrade\r\n",
}
# The others are two requests, one after the other, as HTTP/1.1 allows.
UPGRADES = ("websocket", "h2c")

STRANGE_PATHS = [
    b"GET //api/v1/status",
    b"GET /API/V1/STATUS",
    b"GET /live/../api/v1/status",
    b"GET /live;/api/v1/status",
    b"GET http://localhost/api/v1/status",
    b"GET /metrics%00",
    b"GET /api%2fv1%2fstatus/",
    b"OPTIONS *",
    b"CONNECT localhost:80",
    b"PRI *",
]
SAME_PAGE = [
    b"GET /api/v1/status",
    b"HEAD /api/v1/status",
    b"GET /%61pi/v1/status",
    b"GET /metrics?x=/live",
    b"GET /",
    b"HEAD /metrics",
    b"GET /probe?target=c",
    b"GET /health/c",
    b"GET /ready",
]


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Listening]:
    (tmp_path / "token").write_text("t0ken")
    (tmp_path / "token").chmod(0o600)
    http = HttpSettings(listen=Endpoint("tcp", HOST, 0), token_file=str(tmp_path / "token"))
    with Listening(http=http) as listening:
        listening.publish(verdict("c/a"), verdict("c/b"))
        yield listening


def answers(web: Listening, request: bytes) -> bytes:
    with web.connected() as client:
        client.sendall(request)
        return received(client)


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("token", [b"", TOKEN], ids=["stranger", "reader"])
def test_a_request_is_never_taken_for_two(
    web: Listening, caplog: pytest.LogCaptureFixture, token: bytes, name: str
) -> None:
    received = answers(web, GET + token + BODIES[name] + b"\r\n" + SECOND)

    assert received.count(b"HTTP/1.1 ") <= 1 + (name in UPGRADES)
    assert b"HTTP/1.1 101" not in received
    assert token or b"verdicts" not in received
    assert [each.getMessage() for each in caplog.records] == []


@pytest.mark.parametrize("line", STRANGE_PATHS)
def test_no_other_way_of_writing_a_path_leads_there(web: Listening, line: bytes) -> None:
    received = answers(web, line + b" HTTP/1.1\r\nConnection: close\r\nHost: x\r\n\r\n")

    assert received.startswith((b"HTTP/1.1 404", b"HTTP/1.1 400"))
    assert b"c/a" not in received


@pytest.mark.parametrize("line", SAME_PAGE)
def test_no_way_of_asking_goes_without_credentials(web: Listening, line: bytes) -> None:
    received = answers(web, line + b" HTTP/1.1\r\nConnection: close\r\nHost: x\r\n\r\n")

    assert received.startswith(b"HTTP/1.1 401")
    assert b"c/a" not in received


LIVE = b"GET /live HTTP/1.1\r\nHost: x\r\n"
LARGE_HEADS = {
    "one field": (LIVE + b"X: ", b"a"),
    "many fields": (LIVE, b"X: a\r\n"),
    "white space": (LIVE + b"X:", b" "),
    "a long path": (b"GET /live?", b"a"),
    "empty lines before it": (b"", b"\r\n"),
}


def head_of(kind: str, size: int) -> bytes:
    """Return a head of that many bytes."""
    begin, filling = LARGE_HEADS[kind]
    end = b"\r\nConnection: close\r\n\r\n"
    if kind == "a long path":
        end = b" HTTP/1.1\r\nHost: x" + end
    if kind == "empty lines before it":
        end = LIVE + end.removeprefix(b"\r\n")
    count = (size - len(begin) - len(end)) // len(filling)
    return begin + filling * count + end


@pytest.mark.parametrize("kind", ["one field", "white space", "a long path"])
@pytest.mark.parametrize(
    ("size", "good"),
    [(10_000, True), (MOST_HEAD_BYTES, True), (MOST_HEAD_BYTES + 1, False), (200_000, False)],
)
def test_a_head_has_at_most_the_documented_size(
    web: Listening, kind: str, size: int, good: bool
) -> None:
    head = head_of(kind, size)
    assert len(head) == size

    assert answers(web, head).startswith(b"HTTP/1.1 200" if good else b"HTTP/1.1 400")


@pytest.mark.parametrize("kind", LARGE_HEADS)
@pytest.mark.parametrize("size", [17_000, 60_000, 200_000])
@pytest.mark.parametrize("before", [0, 1, 3])
def test_no_large_head_is_accepted_in_any_form(
    web: Listening, kind: str, size: int, before: int
) -> None:
    received = answers(web, (LIVE + b"\r\n") * before + head_of(kind, size))

    assert received.count(b"HTTP/1.1 200") == before


def test_many_requests_at_once_are_answered_one_after_the_other(web: Listening) -> None:
    received = answers(web, (LIVE + b"\r\n") * 2000 + SECOND)

    assert received.count(b"HTTP/1.1 200") == 2001
