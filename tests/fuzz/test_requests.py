"""Random requests by HTTP, and by HAProxy's agent-check, are answered or end the connection."""

from __future__ import annotations

import contextlib
import logging
import socket
from pathlib import Path
from time import monotonic

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.fuzz.mutation import mutated
from tests.lateness import Stopwatch
from tests.web.listening import Listening, received, verdict

REQUESTS = sorted(Path(__file__).with_name("requests").iterdir())
EXAMPLES, BATCH = 100, 500
MOST_SECONDS = 2.0  # from the end of the request to the end of the connection


@pytest.mark.parametrize("place", ["http", "haproxy"])
def test_a_random_request_ends_soon_and_is_no_error_here(
    place: str, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    ends_at = monotonic() + request.config.getoption("--fuzz-minutes") * 60 / 2
    with Listening() as web:
        web.publish(verdict("c/a"), verdict("c/b"), holds_seconds=1e6)
        port = web.port if place == "http" else web.haproxy_port
        send_random(web, port, EXAMPLES, 0)
        number = 1
        while monotonic() < ends_at:
            send_random(web, port, BATCH, number)
            number += 1
        assert web.get("/health/c/a").status == 200
        assert web.agent_check(b"c/a\n") == b"up 100%\n"
    wrong = [each for each in caplog.records if each.levelno >= logging.ERROR or each.exc_info]
    assert wrong == []


def send_random(web: Listening, port: int, examples: int, number: int) -> None:
    """Send so many random requests; another number gives others."""

    @seed(number)
    @settings(
        max_examples=examples,
        database=None,
        suppress_health_check=[*HealthCheck],
        phases=[Phase.generate, Phase.shrink],
    )
    @given(mutated([path.read_bytes() for path in REQUESTS]))
    def run(data: bytes) -> None:
        with web.connected(port) as client, Stopwatch() as watch:
            with contextlib.suppress(OSError):
                client.sendall(data)
                client.shutdown(socket.SHUT_WR)
                received(client)
            assert watch.seconds < MOST_SECONDS

    run()
