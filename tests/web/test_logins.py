"""Wrong credentials are slow and logged with the address; valid ones never wait for them."""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path

import pytest

from ldaphealth.ldap.endpoint import Endpoint
from ldaphealth.model import Secret
from ldaphealth.settings import HttpSettings
from ldaphealth.web.access import HttpCredentials
from ldaphealth.web.address_log import LINE_SECONDS, MOST_ADDRESSES, MOST_LINES, network_of
from ldaphealth.web.logins import (
    DELAY_SECONDS,
    MOST_AT_A_TIME,
    MOST_WAITING,
    Logins,
    TooManyLoginsError,
)
from tests.web.listening import HOST, Listening

RIGHT, WRONG = "Bearer t0ken", "Bearer wrong"
TOKEN = HttpCredentials(token=Secret("t0ken"))
OTHER = HttpCredentials(token=Secret("other"))


class Slept:
    """Stands for asyncio.sleep: it takes no time until the test lets it go on."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.go_on = asyncio.Event()

    async def __call__(self, seconds: float) -> None:
        """Note the time, and wait for the test."""
        self.seconds.append(seconds)
        await self.go_on.wait()


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def test_only_wrong_credentials_wait() -> None:
    async def run() -> None:
        slept = Slept()
        logins = Logins(slept)
        slept.go_on.set()
        assert await logins.accept(TOKEN, RIGHT, HOST)
        assert slept.seconds == []
        assert not await logins.accept(TOKEN, WRONG, HOST)
        assert slept.seconds == [DELAY_SECONDS]

    asyncio.run(run())


def test_an_address_is_checked_a_few_times_at_once_and_refused_beyond_a_short_queue() -> None:
    async def run() -> None:
        slept = Slept()
        logins = Logins(slept)
        most = MOST_AT_A_TIME + MOST_WAITING
        tries = [
            asyncio.create_task(logins.accept(TOKEN, f"{WRONG}{number}", HOST))
            for number in range(most)
        ]
        await settled()
        assert len(slept.seconds) == MOST_AT_A_TIME
        with pytest.raises(TooManyLoginsError):
            await logins.accept(TOKEN, RIGHT, HOST)
        assert await logins.accept(TOKEN, RIGHT, "192.0.2.9"), "another address need not wait"
        assert await logins.accept(TOKEN, RIGHT, HOST), "now it is known to be right"
        slept.go_on.set()
        assert await asyncio.gather(*tries) == [False] * most
        assert not await logins.accept(TOKEN, WRONG, HOST), "the queue is empty again"

    asyncio.run(run())


def test_what_was_right_before_a_reload_is_checked_again() -> None:
    async def run() -> None:
        slept = Slept()
        slept.go_on.set()
        logins = Logins(slept)
        assert await logins.accept(TOKEN, RIGHT, HOST)
        assert not await logins.accept(OTHER, RIGHT, HOST)
        assert await logins.accept(OTHER, "Bearer other", HOST)

    asyncio.run(run())


def test_a_client_that_has_gone_leaves_no_turn_taken() -> None:
    async def run() -> None:
        logins = Logins(Slept())
        for _ in range(3 * (MOST_AT_A_TIME + MOST_WAITING)):
            trying = asyncio.create_task(logins.accept(TOKEN, WRONG, HOST))
            await settled()
            trying.cancel()
        await settled()
        assert await logins.accept(TOKEN, RIGHT, HOST)

    asyncio.run(run())


def test_the_log_has_one_line_a_minute_and_address_with_the_count(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def run() -> None:
        now = [0.0]
        slept = Slept()
        slept.go_on.set()
        logins = Logins(slept, now=lambda: now[0])
        for _ in range(50):
            await logins.accept(TOKEN, WRONG, HOST)
        now[0] = LINE_SECONDS
        await logins.accept(TOKEN, WRONG, HOST)

    asyncio.run(run())
    assert [(each.address, each.count) for each in caplog.records] == [(HOST, 1), (HOST, 50)]  # type: ignore[attr-defined]
    assert "wrong" not in caplog.text.replace("wrong credentials by HTTP", ""), "no secret"


def test_many_addresses_fill_neither_the_log_nor_the_memory(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def run() -> Logins:
        slept = Slept()
        slept.go_on.set()
        logins = Logins(slept, now=lambda: 0.0)
        for number in range(2 * MOST_ADDRESSES):
            await logins.accept(TOKEN, WRONG, f"10.0.{number // 256}.{number % 256}")
            await logins.accept(TOKEN, f"{RIGHT}{number}", HOST)
        return logins

    logins = asyncio.run(run())
    assert len(logins._addresses) <= MOST_ADDRESSES
    assert len(logins._log._counts) <= MOST_ADDRESSES
    assert len(caplog.records) == MOST_LINES


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:1", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_an_ipv6_client_is_its_network(host: str, network: str) -> None:
    assert network_of(host) == network


def test_by_http(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    token = tmp_path / "token"
    token.write_text("t0ken")
    token.chmod(0o600)
    http = HttpSettings(listen=Endpoint("tcp", HOST, 1), token_file=str(token))
    with caplog.at_level(logging.WARNING), Listening(http=http) as web:
        began = time.monotonic()
        assert web.get("/ready", Authorization=RIGHT).status == 503
        assert web.get("/ready").status == 401
        assert time.monotonic() - began < DELAY_SECONDS
        began = time.monotonic()
        assert web.get("/ready", Authorization=WRONG).status == 401
        assert time.monotonic() - began >= DELAY_SECONDS
        assert web.get("/live", Authorization=WRONG).status == 200
    assert [each.address for each in caplog.records] == [HOST]  # type: ignore[attr-defined]


def test_the_end_of_the_server_does_not_wait_for_a_slow_answer_and_logs_no_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    token = tmp_path / "token"
    token.write_text("t0ken")
    token.chmod(0o600)
    http = HttpSettings(listen=Endpoint("tcp", HOST, 1), token_file=str(token))
    with Listening(http=http) as web, web.connected() as client:
        client.sendall(b"GET /ready HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\n\r\n")
        time.sleep(0.2)
        began = time.monotonic()
        web.server.close()
        assert time.monotonic() - began < DELAY_SECONDS / 2
    assert {each.levelname for each in caplog.records} == {"WARNING"}
