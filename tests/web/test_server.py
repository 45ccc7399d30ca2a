"""Ports, certificates and credentials of the server, and its errors when they are wrong."""

from __future__ import annotations

import base64
import socket
import ssl
import time
from pathlib import Path

import pytest
import trustme
from msgspec.structs import replace

from demo import ports
from ldaphealth.ldap.endpoint import Endpoint, parse_listen
from ldaphealth.settings import HaproxySettings, HttpSettings
from ldaphealth.web.app import ROUTES, RouteRow, application
from ldaphealth.web.http_files import read_http_files
from ldaphealth.web.server import ListenError, WebServer
from tests.web.listening import HOST, Listening, received, verdict

LOOPBACK = Endpoint("tcp", HOST, 1)


def secret(path: Path, text: str) -> str:
    path.write_text(text)
    path.chmod(0o600)
    return str(path)


def issue(authority: trustme.CA, path: Path) -> str:
    authority.issue_cert(HOST).private_key_and_cert_chain_pem.write_to_path(str(path))
    return str(path)


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


def test_credentials_guard_all_but_whether_it_lives(tmp_path: Path) -> None:
    http = HttpSettings(
        listen=LOOPBACK,
        user="anna",
        password_file=secret(tmp_path / "password", "geheim\n"),
        token_file=secret(tmp_path / "token", "t0ken\n"),
    )
    with Listening(http=http) as web:
        web.publish(verdict("c/a"), verdict("c/b"))
        refused = web.get("/api/v1/status")

        assert web.get("/live").status == 200
        assert {web.get(path).status for path in ("/", "/ready", "/health/c", "/health/c/a")} == {
            401
        }
        assert refused.status == 401
        assert refused.headers["www-authenticate"].startswith("Basic realm=")
        assert "c/a" not in refused.body
        assert web.get("/api/v1/status", Authorization=basic("anna:geheim")).status == 200
        assert web.get("/health/c/a", Authorization="Bearer t0ken").status == 200
        assert web.get("/health/c/a", Authorization=basic("anna:falsch")).status == 401
        assert web.get("/health/nobody/knows").status == 401


def test_health_can_be_open_to_all(tmp_path: Path) -> None:
    token = secret(tmp_path / "token", "t0ken")
    with Listening(http=HttpSettings(listen=LOOPBACK, token_file=token, open_health=True)) as web:
        web.publish(verdict("c/a"), verdict("c/b"))

        assert {web.get(path).status for path in ("/ready", "/health/c", "/health/c/a")} == {200}
        assert web.get("/api/v1/status").status == 401


def test_a_renewal_takes_the_new_certificate_and_password(tmp_path: Path) -> None:
    old, new = trustme.CA(), trustme.CA()
    certificate, token = tmp_path / "certificate.pem", tmp_path / "token"
    issue(old, certificate)
    http = HttpSettings(
        listen=LOOPBACK, certificate_file=str(certificate), token_file=secret(token, "one")
    )
    trusts_old, trusts_new = ssl.create_default_context(), ssl.create_default_context()
    old.configure_trust(trusts_old)
    new.configure_trust(trusts_new)
    with Listening(http=http, tls=trusts_old) as web:
        assert web.get("/ready", Authorization="Bearer one").status == 503

        issue(new, certificate)
        secret(token, "two")
        web.server.reload()
        web.tls = trusts_new
        assert web.get("/ready", Authorization="Bearer two").status == 503
        assert web.get("/ready", Authorization="Bearer one").status == 401

        certificate.write_text("nonsense")
        web.server.reload()
        assert web.get("/ready", Authorization="Bearer two").status == 503


def test_tls_speaks_no_old_version(tmp_path: Path) -> None:
    authority = trustme.CA()
    http = HttpSettings(listen=LOOPBACK, certificate_file=issue(authority, tmp_path / "c.pem"))
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    with Listening(http=http, tls=trusting) as web, web.connected() as client:
        with trusting.wrap_socket(client, server_hostname=HOST) as secure:
            assert secure.version() == "TLSv1.3"
        with web.connected() as plain:
            plain.sendall(b"GET /live HTTP/1.1\r\nHost: x\r\n\r\n")
            assert not plain.recv(100).startswith(b"HTTP")


@pytest.mark.parametrize(
    ("http", "error"),
    [
        (
            HttpSettings(listen=LOOPBACK, certificate_file="/nowhere.pem"),
            "/nowhere.pem: no certificate",
        ),
        (
            HttpSettings(listen=LOOPBACK, user="u", password_file="/nowhere"),
            "/nowhere: cannot read",
        ),
        (HttpSettings(listen=LOOPBACK, token_file="/etc/passwd"), "others can read"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(http: HttpSettings, error: str) -> None:
    with pytest.raises(ListenError, match=f"^agent.http: .*{error}"), Listening(http=http):
        pass


def test_a_port_in_use_is_named() -> None:
    with Listening() as web:
        pattern = rf"^agent.haproxy.listen: .* port {web.haproxy_port}: Address already in use$"
        with pytest.raises(ListenError, match=pattern):
            WebServer(web.source, web.settings)


def test_the_end_waits_for_no_slow_answer_and_logs_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with Listening(slow_seconds=3.0) as web, web.connected() as client:
        client.sendall(b"GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n")
        time.sleep(0.3)
        began = time.monotonic()
        web.server.close()
        assert time.monotonic() - began < 0.9
    assert [each.message for each in caplog.records] == []


@pytest.mark.skipif(not ports.has_ipv6(), reason="this machine has no IPv6")
def test_everywhere_is_both_families() -> None:
    with Listening() as web:
        port = web.port
        web.server.close()
        haproxy = HaproxySettings(listen=Endpoint("tcp", "::", port))
        everywhere = replace(web.settings, haproxy=haproxy, http=None)
        server = WebServer(web.source, everywhere)
        try:
            web.publish(verdict("c/a"))
            for host in ("127.0.0.1", "::1"):
                with socket.create_connection((host, port), 5) as client:
                    client.sendall(b"c/a\n")
                    assert received(client) == b"up 100%\n"
        finally:
            server.close()


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:8389", "127.0.0.1", 8389),
        ("0.0.0.0:80", "0.0.0.0", 80),
        ("[::1]:8389", "::1", 8389),
        ("localhost:1", "localhost", 1),
    ],
)
def test_where_to_listen_is_read(text: str, host: str, port: int) -> None:
    assert parse_listen(text) == Endpoint("tcp", host, port)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "8389",
        ":8389",
        "host",
        "host:",
        "host:0",
        "host:65536",
        "host:x",
        "a@b:1",
        "h:1/x",
        "h:1?x",
        "::1:80",
        "[::1]",
        "h\n:1",
        "http://h:1",
    ],
)
def test_what_is_no_place_to_listen_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not HOST:PORT"):
        parse_listen(text)


@pytest.mark.parametrize(
    ("keys", "guarded"),
    [
        ((), False),
        (("certificate_file",), False),
        (("token_file",), False),
        (("certificate_file", "token_file"), True),
        (("certificate_file", "password_file"), True),
        (("certificate_file", "client_ca_file"), True),
    ],
)
def test_other_hosts_need_tls_and_credentials_or_a_certificate(
    tmp_path: Path, keys: tuple[str, ...], guarded: bool
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    every = {
        "certificate_file": issue(authority, tmp_path / "c.pem"),
        "token_file": secret(tmp_path / "token", "t"),
        "password_file": secret(tmp_path / "password", "p"),
        "client_ca_file": str(tmp_path / "ca.pem"),
    }
    settings = HttpSettings(listen=LOOPBACK, user="u", **{key: every[key] for key in keys})  # type: ignore[arg-type]

    assert read_http_files(settings).is_guarded is guarded


def test_every_route_is_asked_for_credentials_unless_its_row_says_otherwise() -> None:
    assert {row.path for row in ROUTES if row.access.name == "PUBLIC"} == {"/live"}
    assert RouteRow("/x", ROUTES[0].make).access.name == "READER"
    assert callable(application)
