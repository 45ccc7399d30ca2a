"""Clients that drip, stall, flood or never read do not keep other clients from an answer."""

from __future__ import annotations

import contextlib
import http.client
import random
import select
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
import trustme

from demo import wait
from ldaphealth.ldap.endpoint import Endpoint
from ldaphealth.settings import HttpSettings
from ldaphealth.web.agent_check import TIMEOUT_SECONDS
from ldaphealth.web.connection_limit import HANDSHAKE_SECONDS, MOST_CONNECTIONS
from ldaphealth.web.http_connection import (
    HEAD_SECONDS,
    IDLE_SECONDS,
    KEEP_ALIVE_SECONDS,
    MOST_HEAD_BYTES,
    HttpConnection,
)
from tests.lateness import Stopwatch, repeated_when_late
from tests.web.listening import HOST, Listening, cluster, received, verdict

ATTACKERS = 200
AIR_SECONDS = 2.0
PROMPT_SECONDS = 1.5  # on a machine with other tests; by itself milliseconds
LONGEST_SECONDS = 40.0
REQUEST = b"GET /health/c/a HTTP/1.1\r\nHost: x\r\n\r\n"
CLIENT_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"


@pytest.fixture
def web() -> Iterator[Listening]:
    with Listening() as listening:
        listening.publish(verdict("c/a"), verdict("c/b"), holds_seconds=1e6)
        yield listening


class Drippers:
    """So many connections to one port; each sends a byte now and then, and comes again at once."""

    def __init__(self, port: int, content: bytes) -> None:
        self._port, self._content = port, content
        self._end = threading.Event()
        self.came_again = 0
        self._open = [self._new() for _ in range(ATTACKERS)]
        self._thread = threading.Thread(target=self._drip)
        self._thread.start()

    def __enter__(self) -> Drippers:
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()
        for each in self._open:
            each.close()

    def _new(self) -> socket.socket:
        return socket.create_connection((HOST, self._port), 5.0)

    def _drip(self) -> None:
        place = 0
        while not self._end.wait(0.2):
            for index, each in enumerate(self._open):
                try:
                    each.sendall(self._content[place : place + 1])
                    gone = bool(select.select([each], [], [], 0)[0]) and not each.recv(64)
                except OSError:
                    gone = True
                if gone:
                    each.close()
                    with contextlib.suppress(OSError):
                        self._open[index] = self._new()
                        self.came_again += 1
            place = (place + 1) % len(self._content)


def visitors(port: int) -> int:
    """Count the connections that this process holds as the server of a port."""
    return sum(
        each.laddr.port == port and each.status == psutil.CONN_ESTABLISHED
        for each in psutil.Process().net_connections("tcp")
    )


@pytest.mark.parametrize("content", [b"GET /" + b"x" * 9000, b"\r\n" * 4000], ids=["head", "lines"])
@repeated_when_late
def test_a_health_check_gets_through_two_hundred_drippers(web: Listening, content: bytes) -> None:
    with Drippers(web.port, content) as drippers:
        slowest = 0.0
        for _ in range(20):
            with Stopwatch() as watch:
                assert web.get("/health/c/a").status == 200
            slowest = max(slowest, watch.seconds)
            assert visitors(web.port) <= MOST_CONNECTIONS + 8  # those on their way out
            time.sleep(0.1)
        assert drippers.came_again > MOST_CONNECTIONS

    assert slowest < PROMPT_SECONDS


@repeated_when_late
def test_haproxy_gets_through_two_hundred_drippers(web: Listening) -> None:
    with Drippers(web.haproxy_port, b"c/" + b"a" * 200) as drippers:
        for _ in range(20):
            with Stopwatch() as watch:
                assert web.agent_check(b"c/a\n") == b"up 100%\n"
            assert watch.seconds < PROMPT_SECONDS
            time.sleep(0.1)
        assert drippers.came_again > MOST_CONNECTIONS


@pytest.fixture
def tls_web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listening]:
    directory = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    certificate = directory / "certificate.pem"
    authority.issue_cert(HOST).private_key_and_cert_chain_pem.write_to_path(str(certificate))
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    http = HttpSettings(listen=Endpoint("tcp", HOST, 1), certificate_file=str(certificate))
    with Listening(http=http, tls=trusting) as listening:
        listening.publish(verdict("c/a"), verdict("c/b"), holds_seconds=1e6)
        yield listening


@repeated_when_late
def test_tls_gets_through_two_hundred_stalled_handshakes(tls_web: Listening) -> None:
    with Drippers(tls_web.port, CLIENT_HELLO + b"\x00" * 500) as drippers:
        for _ in range(10):
            with Stopwatch() as watch:
                assert tls_web.get("/health/c/a").status == 200
            assert watch.seconds < PROMPT_SECONDS
            assert visitors(tls_web.port) <= MOST_CONNECTIONS + 8
            time.sleep(0.1)
        assert drippers.came_again > MOST_CONNECTIONS


Case = tuple[Listening, int, Callable[[socket.socket], None], bytes, float]


def silent(_: socket.socket) -> None:
    """Send nothing."""


def half_a_head(client: socket.socket) -> None:
    client.sendall(REQUEST[:-4] + b"\r\nX-Long: ")


def a_body_that_never_ends(client: socket.socket) -> None:
    client.sendall(b"GET /live HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")


def a_second_head(client: socket.socket) -> None:
    client.sendall(REQUEST)
    assert client.recv(4096).startswith(b"HTTP/1.1 200")
    client.sendall(REQUEST[:10])


def a_huge_answer(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.sendall(b"GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n")


def client_hello(client: socket.socket) -> None:
    client.sendall(CLIENT_HELLO)


def gone_after(client: socket.socket, drip: bytes) -> float:
    """Send a byte twice a second, read nothing; return the seconds until the server has hung up."""
    port, ours = client.getpeername()[1], client.getsockname()[1]
    began = time.monotonic()
    while time.monotonic() - began < LONGEST_SECONDS:
        with contextlib.suppress(OSError):
            client.sendall(drip)
        time.sleep(0.5)
        if not any(
            (each.laddr.port, getattr(each.raddr, "port", 0)) == (port, ours)
            for each in psutil.Process().net_connections("tcp")
            if each.status == psutil.CONN_ESTABLISHED
        ):
            break
    return time.monotonic() - began


@repeated_when_late
def test_everything_that_a_client_does_has_its_deadline(tls_web: Listening) -> None:
    many = cluster("c", "a", *(f"s{number}" for number in range(2000)))
    with Listening((many,)) as web, ThreadPoolExecutor() as threads:
        web.publish(*(verdict(server.id) for server in many.servers), holds_seconds=1e6)
        cases: list[Case] = [
            (web, web.port, silent, b"", HEAD_SECONDS),
            (web, web.port, half_a_head, b"x", HEAD_SECONDS),
            (web, web.port, a_body_that_never_ends, b"x", 0.0),
            (web, web.port, a_second_head, b"x", KEEP_ALIVE_SECONDS),
            (web, web.port, a_huge_answer, b"", IDLE_SECONDS),
            (web, web.haproxy_port, silent, b"", TIMEOUT_SECONDS),
            (web, web.haproxy_port, silent, b"x", TIMEOUT_SECONDS),
            (tls_web, tls_web.port, client_hello, b"\0", HANDSHAKE_SECONDS),
        ]

        def one(case: Case) -> float:
            where, port, prepare, drip, _ = case
            with where.connected(port) as client:
                prepare(client)
                return gone_after(client, drip)

        took = list(threads.map(one, cases))

    late = [
        (case[2].__name__, seconds)
        for case, seconds in zip(cases, took, strict=True)
        if not case[4] - 1 < seconds < case[4] + AIR_SECONDS
    ]
    assert late == []


def test_a_client_that_takes_no_answers_gives_way_to_others() -> None:
    many = cluster("c", *(f"s{number}" for number in range(500)))
    with Listening((many,)) as web:
        web.publish(*(verdict(server.id) for server in many.servers), holds_seconds=1e6)
        with web.connected() as client:
            client.sendall(b"GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n" * 150)
            visits = web.server._http_limit._connections
            wait.until(lambda: len(visits) == 1, 5.0, "not let in")
            (visitor,) = visits.values()
            assert isinstance(visitor, HttpConnection)
            wait.until(lambda: visitor.flow.write_paused, 20.0, "all of it was taken")
            assert not visitor.cycle.response_complete
            assert not visitor.is_busy


def test_a_connection_can_be_used_again(web: Listening) -> None:
    with web.connected() as client:
        for requests in (1, 1, 3):  # three at once: pipelined
            client.sendall(REQUEST * requests)
            found = b""
            while found.count(b"c/a in service") < requests:
                chunk = client.recv(4096)
                assert chunk
                found += chunk
            assert found.count(b"HTTP/1.1 200") == requests


@repeated_when_late
def test_answers_on_one_connection_wait_for_no_acknowledgement(web: Listening) -> None:
    client = http.client.HTTPConnection(HOST, web.port, timeout=5)
    with Stopwatch() as watch:
        for _ in range(50):
            client.request("GET", "/health/c/a")
            assert client.getresponse().read()
    client.close()

    assert watch.seconds < 1.0  # 2 s, if each body waited 40 ms


@pytest.mark.parametrize("seed", range(5))
def test_garbage_is_refused_and_nobody_else_suffers(
    web: Listening, seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    chance = random.Random(seed)  # noqa: S311
    whole = REQUEST * 2
    for _ in range(60):
        garbage = bytearray(whole if chance.random() < 0.7 else chance.randbytes(300))
        for _ in range(chance.randrange(1, 6)):
            garbage[chance.randrange(len(garbage))] = chance.randrange(256)
        for port in (web.port, web.haproxy_port):
            with web.connected(port) as client, contextlib.suppress(OSError):
                client.sendall(garbage)
                client.shutdown(socket.SHUT_WR)
                received(client)
    assert web.get("/health/c/a").status == 200
    assert web.agent_check(b"c/a\n") == b"up 100%\n"
    assert [
        each.message for each in caplog.records if each.name != "ldaphealth.web.agent_check"
    ] == []


def test_a_head_beyond_all_bounds_is_refused(web: Listening) -> None:
    with web.connected() as client:
        client.sendall(b"GET / HTTP/1.1\r\nX-Long: " + b"x" * MOST_HEAD_BYTES)
        assert received(client).startswith(b"HTTP/1.1 400")


def test_a_request_with_a_body_is_answered_and_ends_the_connection(web: Listening) -> None:
    with web.connected() as client:
        client.sendall(REQUEST[:-2] + b"Content-Length: 5\r\n\r\nhello")
        answer = received(client)

    assert answer.startswith(b"HTTP/1.1 200")
    assert b"connection: close" in answer


WITH_FEW_DESCRIPTORS = """
import resource, sys
from tests.web.listening import Listening, verdict
with Listening() as web:
    web.publish(verdict("c/a"), verdict("c/b"), holds_seconds=1e6)
    resource.setrlimit(resource.RLIMIT_NOFILE, (25, 25))
    print(web.port, flush=True)
    sys.stdin.read()
"""


@repeated_when_late
def test_a_health_check_gets_through_where_no_descriptors_are_left() -> None:
    command = [sys.executable, "-W", "ignore", "-c", WITH_FEW_DESCRIPTORS]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert server.stdin is not None
    assert server.stdout is not None
    with contextlib.ExitStack() as stack:
        stack.callback(server.stdout.close)
        stack.callback(server.wait, 5.0)
        stack.callback(server.stdin.close)
        port = int(server.stdout.readline())
        for _ in range(MOST_CONNECTIONS - 20):
            stack.enter_context(socket.create_connection((HOST, port), 5.0))
        for _ in range(3):
            with Stopwatch() as watch, socket.create_connection((HOST, port), 10.0) as client:
                client.sendall(REQUEST)
                assert client.recv(4096).startswith(b"HTTP/1.1 200")
            assert watch.seconds < 4.0  # it gets through those who came before


def test_the_end_waits_for_nobody(web: Listening) -> None:
    with Drippers(web.port, b"x" * 100), web.connected() as keep_alive:
        keep_alive.sendall(REQUEST)
        assert keep_alive.recv(4096).startswith(b"HTTP/1.1 200")
        with Stopwatch() as watch:
            web.server.close()
        assert watch.seconds < 0.9
        with pytest.raises(OSError, match="refused"):
            web.connected()
