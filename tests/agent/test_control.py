"""The control socket answers valid requests. Other clients never block it."""

from __future__ import annotations

import gc
import grp
import json
import logging
import os
import pwd
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from ldaphealth.control.client import AgentError, send_request
from ldaphealth.control.requests import (
    MAX_ANSWER_BYTES,
    MAX_REQUEST_BYTES,
    ControlRequest,
    ControlResponse,
    ExplainRequest,
    HistoryRequest,
    OperatorRequest,
    OverrideRequest,
    RemoveOverrideRequest,
    StatusRequest,
)
from ldaphealth.control.server import CLIENT_SECONDS, MOST_CLIENTS, ControlServer

TIMEOUT_SECONDS = 10.0


class Stub:
    """Stands for the agent: the requests that it received, and its answer."""

    def __init__(self) -> None:
        self.asked: list[ControlRequest] = []
        self.answer: Callable[[ControlRequest], ControlResponse] = lambda _: ControlResponse(
            {"fine": True}
        )

    def __call__(self, request: ControlRequest) -> ControlResponse:
        """Note the request and answer it."""
        self.asked.append(request)
        return self.answer(request)


@pytest.fixture
def stub() -> Stub:
    return Stub()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "agent.sock"


@pytest.fixture
def server(path: Path, stub: Stub) -> Iterator[ControlServer]:
    made = ControlServer(path, "", stub)
    yield made
    made.close()


def connected(path: Path) -> socket.socket:
    caller = socket.socket(socket.AF_UNIX)
    caller.settimeout(TIMEOUT_SECONDS)
    caller.connect(str(path))
    return caller


def received(caller: socket.socket) -> bytes:
    """Return all that comes until the server hangs up."""
    found = bytearray()
    try:
        while chunk := caller.recv(65536):
            found += chunk
    except ConnectionResetError:
        pass
    return bytes(found)


def raw(path: Path, content: bytes) -> bytes:
    """Send these bytes and no more, and return what comes back."""
    with connected(path) as caller:
        caller.sendall(content)
        caller.shutdown(socket.SHUT_WR)
        return received(caller)


def error_of(answer: bytes) -> str:
    assert answer.endswith(b"\n")
    assert answer.count(b"\n") == 1
    document: dict[str, Any] = json.loads(answer)
    assert document["document"] is None
    return str(document["error"])


def answers_again(path: Path) -> bool:
    """Return whether the server answers."""
    until = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < until:
        try:
            return bool(send_request(path, StatusRequest()))
        except AgentError:
            time.sleep(0.01)
    return False


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(
    "request_",
    [
        StatusRequest(),
        ExplainRequest("c/s"),
        HistoryRequest(),
        HistoryRequest("c/s", 1000, 1.5),
        RemoveOverrideRequest("c/s"),
        OverrideRequest("c/s", "drain", 3600.0, "neue Platte \N{HARD DISK}"),
        OverrideRequest("c/s", "out", 30 * 86400),
        OverrideRequest("c/ü", "in", 0.001),
    ],
    ids=repr,
)
def test_every_request_comes_through_as_it_was(
    path: Path, stub: Stub, request_: ControlRequest
) -> None:
    assert send_request(path, request_) == {"fine": True}
    user = pwd.getpwuid(os.getuid()).pw_name
    is_order = isinstance(request_, OperatorRequest)
    assert stub.asked == [replace(request_, by=user) if is_order else request_]


@pytest.mark.usefixtures("server")
def test_no_client_orders_in_the_name_of_another_user(path: Path, stub: Stub) -> None:
    send_request(path, OverrideRequest("c/s", "drain", 1.0, "because", by="somebody else"))

    assert [each.by for each in stub.asked if isinstance(each, OperatorRequest)] == [
        pwd.getpwuid(os.getuid()).pw_name
    ]


@pytest.mark.usefixtures("server")
def test_the_answer_is_one_line(path: Path, stub: Stub) -> None:
    stub.answer = lambda _: ControlResponse({"text": "two\nlines"})

    assert raw(path, b'{"type":"status"}\n') == b'{"document":{"text":"two\\nlines"},"error":""}\n'
    assert send_request(path, StatusRequest()) == {"text": "two\nlines"}


@pytest.mark.usefixtures("server")
def test_an_answer_with_an_error_is_an_agent_error(path: Path, stub: Stub) -> None:
    stub.answer = lambda _: ControlResponse(
        error="the agent has no server 'c/x'; did you mean c/s?"
    )

    with pytest.raises(AgentError, match=r"^the agent has no server 'c/x'; did you mean c/s\?$"):
        send_request(path, ExplainRequest("c/x"))


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("size", [1 << 10, 1 << 20, MAX_ANSWER_BYTES - 100])
def test_a_huge_answer_comes_through(path: Path, stub: Stub, size: int) -> None:
    stub.answer = lambda _: ControlResponse("x" * size)

    assert len(send_request(path, StatusRequest())) == size


@pytest.mark.usefixtures("server")
def test_an_answer_beyond_all_bounds_is_an_agent_error(path: Path, stub: Stub) -> None:
    stub.answer = lambda _: ControlResponse("x" * (MAX_ANSWER_BYTES + (1 << 20)))

    with pytest.raises(AgentError, match="the response is not from an agent"):
        send_request(path, StatusRequest())


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(
    ("content", "error"),
    [
        pytest.param(b"", "one line of at most", id="nothing"),
        pytest.param(b'{"type":"status"}', "one line of at most", id="no line end"),
        pytest.param(b"x" * (MAX_REQUEST_BYTES + 1) + b"\n", "one line of at most", id="too long"),
        pytest.param(b"x" * (1 << 17), "one line of at most", id="much too long"),
        pytest.param(b"\n", "not a valid request", id="an empty line"),
        pytest.param(b"status\n", "not a valid request", id="no JSON"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", "not a valid request", id="HTTP"),
        pytest.param(b"\x16\x03\x01\x00\n", "not a valid request", id="binary"),
        pytest.param(b"null\n", "not a valid request", id="null"),
        pytest.param(b"[]\n", "not a valid request", id="a list"),
        pytest.param(b"{}\n", "not a valid request", id="no type"),
        pytest.param(b'{"type":"dance"}\n', "dance", id="an unknown type"),
        pytest.param(b'{"type":1}\n', "not a valid request", id="a number for a type"),
        pytest.param(b'{"type":"explain"}\n', "server", id="no server"),
        pytest.param(b'{"type":"explain","server":1}\n', "server", id="a number for a server"),
        pytest.param(b'{"type":"history","limit":0}\n', "limit", id="no limit"),
        pytest.param(b'{"type":"history","limit":1001}\n', "limit", id="a high limit"),
        pytest.param(
            b'{"type":"say","server":"c/s","will":"x","seconds":1}\n', "will", id="no such will"
        ),
        pytest.param(
            b'{"type":"say","server":"c/s","will":"in","seconds":0}\n', "seconds", id="no time"
        ),
        pytest.param(
            b'{"type":"say","server":"c/s","will":"in","seconds":1e10}\n', "seconds", id="ages"
        ),
        pytest.param(
            b'{"type":"say","server":"c/s","will":"in","seconds":NaN}\n',
            "not a valid request",
            id="NaN",
        ),
        pytest.param(
            b'{"type":"say","server":"c/s","will":"in","seconds":1,"reason":"%s"}\n' % (b"x" * 201),
            "reason",
            id="a long reason",
        ),
        pytest.param(
            b'{"type":"explain","server":"\\ud800"}\n', "not a valid request", id="surrogate"
        ),
        pytest.param(
            b'{"type":"explain","server":"\xff"}\n',
            "not a valid request",
            id="no UTF-8",
        ),
        pytest.param(
            b'{"type":"status","x":' + b"[" * 4000 + b"\n",
            "not a valid request",
            id="deeply nested",
        ),
    ],
)
def test_what_is_no_request_is_answered_with_why(
    path: Path, stub: Stub, content: bytes, error: str
) -> None:
    assert error in error_of(raw(path, content))
    assert not stub.asked
    assert send_request(path, StatusRequest()) == {"fine": True}


@pytest.mark.usefixtures("server")
def test_the_longest_request_is_served(path: Path, stub: Stub) -> None:
    request = b'{"type":"explain","server":"c/s"}'

    answer = raw(path, request.ljust(MAX_REQUEST_BYTES) + b"\n")

    assert json.loads(answer)["document"] == {"fine": True}
    assert stub.asked == [ExplainRequest("c/s")]


@pytest.mark.usefixtures("server")
def test_one_connection_is_one_request(path: Path, stub: Stub) -> None:
    raw(path, b'{"type":"status"}\n' * 3)

    assert len(stub.asked) == 1


@pytest.mark.usefixtures("server")
def test_a_mistake_of_ours_is_told_to_the_caller(path: Path, stub: Stub) -> None:
    def fail(_: ControlRequest) -> ControlResponse:
        raise ZeroDivisionError("division by zero")

    stub.answer = fail

    assert error_of(raw(path, b'{"type":"status"}\n'))


@pytest.mark.usefixtures("server")
def test_a_mistake_of_ours_leaves_the_server_at_work(path: Path, stub: Stub) -> None:
    def fail(_: ControlRequest) -> ControlResponse:
        raise ZeroDivisionError

    stub.answer = fail
    for _ in range(2 * MOST_CLIENTS):
        with pytest.raises(AgentError):
            send_request(path, StatusRequest())
    stub.answer = lambda _: ControlResponse("well again")

    assert send_request(path, StatusRequest()) == "well again"


@pytest.mark.usefixtures("server")
def test_callers_who_go_away_leave_the_server_at_work(path: Path) -> None:
    for number in range(3 * MOST_CLIENTS):
        with connected(path) as caller:
            if number % 2:
                caller.sendall(b'{"type":"sta')
        time.sleep(0.002)

    assert answers_again(path)


@pytest.mark.usefixtures("server")
def test_more_callers_than_allowed_are_turned_away_at_once(path: Path) -> None:
    silent = [connected(path) for _ in range(MOST_CLIENTS)]
    try:
        began = time.monotonic()
        with pytest.raises(AgentError):
            send_request(path, StatusRequest())
        assert time.monotonic() - began < 2.0
    finally:
        for caller in silent:
            caller.close()
    assert answers_again(path)


@pytest.mark.usefixtures("server")
def test_a_caller_too_many_is_told_that_the_agent_is_busy(path: Path) -> None:
    silent = [connected(path) for _ in range(MOST_CLIENTS)]
    try:
        with pytest.raises(AgentError, match="busy"):
            send_request(path, StatusRequest())
    finally:
        for caller in silent:
            caller.close()


@pytest.mark.usefixtures("server")
def test_as_many_as_are_allowed_are_served_side_by_side(path: Path, stub: Stub) -> None:
    together = threading.Barrier(MOST_CLIENTS)

    def meet(_: ControlRequest) -> ControlResponse:
        together.wait(TIMEOUT_SECONDS)
        return ControlResponse("met")

    stub.answer = meet
    answers: list[object] = []
    callers = [
        threading.Thread(target=lambda: answers.append(send_request(path, StatusRequest())))
        for _ in range(MOST_CLIENTS)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(TIMEOUT_SECONDS)

    assert answers == ["met"] * MOST_CLIENTS


@pytest.mark.usefixtures("server")
def test_a_silent_caller_is_hung_up_on(path: Path) -> None:
    began = time.monotonic()
    with connected(path) as caller:
        assert received(caller) == b""

    assert time.monotonic() - began < CLIENT_SECONDS + 2


@pytest.mark.usefixtures("server")
def test_a_caller_who_drips_is_hung_up_on(path: Path) -> None:
    with connected(path) as caller:
        caller.settimeout(0.25)
        until = time.monotonic() + CLIENT_SECONDS + 1
        while time.monotonic() < until:
            try:
                caller.sendall(b" ")
                caller.recv(1)
            except TimeoutError:
                continue
            except OSError:
                pass
            return
    pytest.fail("still listened to")


@pytest.mark.usefixtures("server")
def test_a_caller_who_takes_no_answer_is_hung_up_on(path: Path, stub: Stub) -> None:
    stub.answer = lambda _: ControlResponse("x" * (8 << 20))
    with connected(path) as caller:
        caller.sendall(b'{"type":"status"}\n')
        time.sleep(CLIENT_SECONDS + 0.5)
        assert len(received(caller)) < 8 << 20

    stub.answer = lambda _: ControlResponse("small")
    assert send_request(path, StatusRequest()) == "small"


@pytest.mark.parametrize("bits", [0o000, 0o022, 0o077, 0o177])
def test_only_the_owner_and_the_group_may_ask_whatever_the_umask_is(
    path: Path, stub: Stub, bits: int
) -> None:
    before = os.umask(bits)
    try:
        server = ControlServer(path, grp.getgrgid(os.getegid()).gr_name, stub)
        after = os.umask(bits)
    finally:
        os.umask(before)
    try:
        found = path.stat()
        assert stat.S_ISSOCK(found.st_mode)
        assert stat.S_IMODE(found.st_mode) == 0o660
        assert found.st_gid == os.getegid()
        assert after == bits
    finally:
        server.close()


def test_a_socket_that_a_dead_agent_left_is_replaced(path: Path, stub: Stub) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with pytest.raises(AgentError, match="no agent runs here: no process listens on"):
        send_request(path, StatusRequest())

    server = ControlServer(path, "", stub)
    try:
        assert send_request(path, StatusRequest()) == {"fine": True}
    finally:
        server.close()


def test_close_removes_the_socket_and_ends_the_thread(path: Path, stub: Stub) -> None:
    server = ControlServer(path, "", stub)
    server.close()

    assert not path.exists()
    assert "control" not in {thread.name for thread in threading.enumerate() if thread.is_alive()}
    with pytest.raises(AgentError, match="no agent runs here: there is no"):
        send_request(path, StatusRequest())


def test_close_waits_for_no_silent_caller(path: Path, stub: Stub) -> None:
    server = ControlServer(path, "", stub)
    with connected(path):
        time.sleep(0.2)
        began = time.monotonic()
        server.close()
        assert time.monotonic() - began < 2.0


def test_an_unknown_group_leaves_no_socket(path: Path, stub: Stub) -> None:
    with pytest.raises(LookupError, match="nosuchgroup"):
        ControlServer(path, "nosuchgroup", stub)

    gc.collect()  # pytest tells of a socket that is only closed now
    assert not path.exists()


def test_a_directory_that_is_not_there_is_an_os_error(tmp_path: Path, stub: Stub) -> None:
    before = os.umask(0o022)
    try:
        with pytest.raises(FileNotFoundError):
            ControlServer(tmp_path / "gone" / "agent.sock", "", stub)
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)
        gc.collect()


@pytest.fixture
def impostor(path: Path) -> Iterator[Callable[[bytes], None]]:
    """Return what makes something answer on the socket with these bytes, and hang up."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        listening.settimeout(TIMEOUT_SECONDS)
        threads: list[threading.Thread] = []

        def answer(content: bytes) -> None:
            def serve() -> None:
                caller, _ = listening.accept()
                with caller:
                    caller.recv(65536)
                    caller.sendall(content)

            threads.append(threading.Thread(target=serve))
            threads[-1].start()

        yield answer
        for thread in threads:
            thread.join(TIMEOUT_SECONDS)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"220 smtp ready\r\n", id="another service"),
        pytest.param(b'{"document":{"a"', id="half an answer"),
        pytest.param(b"[]\n", id="a list"),
        pytest.param(b'{"error":5}\n', id="a number for an error"),
        pytest.param(
            b'{"error":"\xff"}\n',
            id="no UTF-8",
        ),
        pytest.param(
            b'{"x":' + b"[" * 100_000 + b"\n",
            id="deeply nested",
        ),
    ],
)
def test_what_is_no_answer_is_an_agent_error(
    path: Path, impostor: Callable[[bytes], None], content: bytes
) -> None:
    impostor(content)

    with pytest.raises(AgentError, match=rf"^{path}: the response is not from an agent: "):
        send_request(path, StatusRequest())


def test_keys_that_a_later_agent_adds_are_left_out(
    path: Path, impostor: Callable[[bytes], None]
) -> None:
    impostor(b'{"document":{"a":1},"error":"","later":true}\n')

    assert send_request(path, StatusRequest()) == {"a": 1}


def test_a_path_that_is_no_socket_is_an_agent_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(AgentError, match="no process listens on"):
        send_request(tmp_path / "file", StatusRequest())
    with pytest.raises(AgentError, match=r"file/agent\.sock: Not a directory"):
        send_request(tmp_path / "file" / "agent.sock", StatusRequest())


def test_a_path_that_is_too_long_is_told_as_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(AgentError, match="too long"):
        send_request(tmp_path / ("x" * 120), StatusRequest())


@pytest.mark.usefixtures("server")
def test_a_name_that_is_no_text_is_an_agent_error(path: Path) -> None:
    with pytest.raises(AgentError):
        send_request(path, ExplainRequest("c/\udcff"))


@pytest.mark.usefixtures("server")
def test_nothing_of_this_is_logged_as_trouble(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        raw(path, b"nonsense")
        with connected(path) as caller:
            caller.sendall(b"{")
        send_request(path, StatusRequest())

    assert not caplog.records
