"""The routes for Prometheus by HTTP: forms, access, and the answers to bad requests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from demo import ports
from ldaphealth.ldap.endpoint import Endpoint
from ldaphealth.live.live_state import LiveState
from ldaphealth.model import Server
from ldaphealth.publishers.publication import Publication
from ldaphealth.settings import AgentSettings, Cluster, HttpSettings, Settings
from ldaphealth.web.server import WebServer
from ldaphealth.web.source import Source
from tests.checks.seen import planned
from tests.prometheus.server import get
from tests.sinks.healthy import HEALTH, NOW, UNTIL, healthy

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Return the address of a server that knows one verdict, and wants a token."""
    (tmp_path / "token").write_text("open sesame")
    (tmp_path / "token").chmod(0o600)
    reserved = ports.reserve(2, ("127.0.0.1",))  # nobody listens on the second
    listen = Endpoint("tcp", "127.0.0.1", reserved.ports[0])
    unreachable = Server(cluster="c", name="s0", uri=f"ldap://127.0.0.1:{reserved.ports[1]}")
    watched = Cluster(
        name="c",
        servers=(unreachable,),
        checks=(planned("connect"),),
        min_in_service=0,
        deadline_seconds=1.0,
    )
    http = HttpSettings(listen=listen, token_file=str(tmp_path / "token"))
    settings = Settings(
        {"c": watched},
        AgentSettings(runtime_directory=tmp_path, state_directory=tmp_path, http=http),
    )
    live_state = LiveState()
    live_state.publish(
        Publication(
            cluster="c",
            verdicts={"c/s0": healthy("c/s0")},
            due={"c/s0": UNTIL},
            changes=(),
            seen=(),
        )
    )
    source = Source(
        live_state=live_state,
        settings=lambda: settings,
        health=lambda: HEALTH,
        overrides=dict,
        ticked_at=lambda: NOW,
        now=lambda: NOW,
    )
    server = WebServer(source, settings.agent)
    yield f"http://127.0.0.1:{reserved.ports[0]}"
    server.close()
    reserved.release()


def ask(address: str, accept: str = "") -> tuple[int, str, bytes]:
    return get(address, {"Authorization": "Bearer open sesame", "Accept": accept})


def test_the_metrics_are_told_in_the_form_that_is_asked_for(address: str) -> None:
    status, content_type, body = ask(f"{address}/metrics")
    assert (status, content_type) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert b'ldaphealth_server_in_service{cluster="c",server="s0"} 1.0\n' in body
    assert b'ldaphealth_build_info{version="1.2.3"} 1.0\n' in body

    status, content_type, body = ask(f"{address}/metrics", OPENMETRICS)
    assert (status, content_type, body[-6:]) == (200, OPENMETRICS, b"# EOF\n")


@pytest.mark.parametrize("path", ["/metrics", "/probe?target=c/s0"])
def test_strangers_are_told_nothing(address: str, path: str) -> None:
    status, _, body = get(address + path)

    assert status == 401
    assert b"s0" not in body


@pytest.mark.parametrize(
    "target", ["ldap://192.0.2.1", "c/ldap://192.0.2.1", "d", "", "c%0A" * 2000]
)
def test_a_probe_of_what_is_not_configured_is_refused(address: str, target: str) -> None:
    status, content_type, body = ask(f"{address}/probe?target={target}")

    assert (status, content_type) == (400, "text/plain; charset=utf-8")
    assert b"CLUSTER or CLUSTER/SERVER" in body
    assert body.count(b"\n") == 1


def test_a_probe_looks_at_that_moment(address: str) -> None:
    """In the live state the server is in service, but no process listens on its port."""
    status, _, body = ask(f"{address}/probe?target=c/s0")

    assert status == 200
    assert b"\nprobe_success 0.0\n" in body
    assert b'code="connect.connect"' in body
