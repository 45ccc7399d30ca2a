"""A page in a browser on this host cannot read by a name that its DNS resolves to this host."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ldaphealth.ldap.endpoint import Endpoint
from ldaphealth.settings import HttpSettings
from ldaphealth.web.access import is_address_or_localhost
from tests.web.listening import HOST, Listening, received, verdict

OURS = [
    "127.0.0.1:8389",
    "127.0.0.1",
    "[::1]:8389",
    "[::1]",
    "localhost:8389",
    "LocalHost",
    "localhost.",
    "lb1.localhost:80",
    "192.0.2.1:8389",
]
THEIRS = [
    "evil.example:8389",
    "evil.example",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "evillocalhost",
    "127.0.0.1@evil.example",
    "evil.example#localhost",
    "[::1",
    "[::1].evil.example",
    "a b",
    "x/localhost",
    "2130706433",
    "0x7f.1",
    ":8389",
    "localhost:8389:evil.example",
]


@pytest.mark.parametrize("host", [*OURS, ""])
def test_an_address_and_localhost_are_ours(host: str) -> None:
    assert is_address_or_localhost(host)


@pytest.mark.parametrize("host", THEIRS)
def test_a_name_that_somebody_resolves_is_not(host: str) -> None:
    assert not is_address_or_localhost(host)


@pytest.fixture
def web() -> Iterator[Listening]:
    with Listening() as listening:
        listening.publish(verdict("c/a"), verdict("c/b"))
        yield listening


@pytest.mark.parametrize("path", ["/", "/api/v1/status", "/metrics", "/probe?target=c"])
def test_who_asks_by_a_strange_name_is_told_why_and_no_more(web: Listening, path: str) -> None:
    answer = web.get(path, Host="evil.example:8389")

    assert answer.status == 421
    assert (
        answer.body == "the host must be an address or localhost, not another name: docs/http.md\n"
    )


def test_who_asks_by_an_address_is_answered(web: Listening) -> None:
    assert web.get("/api/v1/status", Host="[::1]:8389").status == 200
    assert web.get("/api/v1/status", Host="localhost").status == 200


@pytest.mark.parametrize("path", ["/live", "/ready", "/health/c", "/health/c/a"])
def test_a_health_check_does_not_fail_for_its_name(web: Listening, path: str) -> None:
    assert web.get(path, Host="lb1.example.com").status == 200


def test_an_old_client_without_a_name_is_answered(web: Listening) -> None:
    with web.connected() as client:
        client.sendall(b"GET /api/v1/status HTTP/1.0\r\n\r\n")
        assert received(client).startswith(b"HTTP/1.1 200")


def test_with_credentials_any_name_will_do(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t0ken")
    (tmp_path / "token").chmod(0o600)
    http = HttpSettings(listen=Endpoint("tcp", HOST, 0), token_file=str(tmp_path / "token"))
    with Listening(http=http) as web:
        asked = web.get("/api/v1/status", Host="lb1.example.com", Authorization="Bearer t0ken")
        assert asked.status == 200
