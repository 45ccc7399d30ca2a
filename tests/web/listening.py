"""A web server of its own for a test, with verdicts that the test publishes; and raw clients."""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from msgspec.structs import replace

from demo import ports
from ldaphealth.guard.memory import Override
from ldaphealth.ldap.endpoint import Endpoint
from ldaphealth.live.health import AgentHealth
from ldaphealth.live.live_state import LiveState
from ldaphealth.model import CheckEffect, Reason, Server, State, Verdict
from ldaphealth.publishers.publication import Publication
from ldaphealth.settings import AgentSettings, Cluster, HaproxySettings, HttpSettings, Settings
from ldaphealth.web.server import WebServer
from ldaphealth.web.source import Source

HOST = "127.0.0.1"
TIMEOUT_SECONDS = 10.0
NOW = 1000.0
NASTY = "x\r\nSet-Cookie: a=b\x1b[2J</script><img src=x onerror=alert(1)>\u202e ä"


def cluster(name: str, *servers: str, min_in_service: int = 1, weight: int = 100) -> Cluster:
    made = tuple(
        Server(cluster=name, name=each, uri=f"ldap://192.0.2.{number}", weight=weight)
        for number, each in enumerate(servers, 1)
    )
    return Cluster(name=name, servers=made, checks=(), min_in_service=min_in_service)


def verdict(server: str, code: str = "", **changes: object) -> Verdict:
    """Return a verdict: in service, or out for a reason."""
    reason = Reason(code, NASTY, State.CRITICAL, CheckEffect.OUT, removes=True)
    good = Verdict(server=server, state=State.OK, in_service=True, weight=100)
    bad = Verdict(
        server=server,
        state=State.CRITICAL,
        in_service=False,
        weight=0,
        reasons=(reason,),
        plain=False,
    )
    return replace(bad if code else good, **changes)


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: str


@dataclass
class Listening:
    """The server and what it reads from; a context manager."""

    clusters: tuple[Cluster, ...] = (cluster("c", "a", "b"),)
    http: HttpSettings = field(
        default_factory=lambda: HttpSettings(listen=Endpoint("tcp", HOST, 0))
    )
    now: float = NOW
    ticked_at: float = NOW
    overrides: dict[str, Override] = field(default_factory=dict)
    live_state: LiveState = field(default_factory=LiveState)
    tls: ssl.SSLContext | None = None
    port: int = 0
    slow_seconds: float = 0.0  # that the status takes
    history_file: Path | None = None

    def __enter__(self) -> Self:
        self._ports = ports.reserve(2, (HOST,))
        self.port, self.haproxy_port = self._ports.ports
        where = Endpoint("tcp", HOST, self.port)
        self.settings = AgentSettings(
            runtime_directory=Path("/nowhere"),
            state_directory=Path("/nowhere"),
            http=replace(self.http, listen=where),
            haproxy=HaproxySettings(listen=Endpoint("tcp", HOST, self.haproxy_port)),
        )
        try:
            self.server = WebServer(self.source, self.settings)
        except BaseException:
            self._ports.release()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.server.close()
        self._ports.release()

    @property
    def source(self) -> Source:
        """Return what the server reads from."""
        return Source(
            live_state=self.live_state,
            settings=lambda: Settings({each.name: each for each in self.clusters}, self.settings),
            health=self._health,
            overrides=lambda: self.overrides,
            ticked_at=lambda: self.ticked_at,
            now=lambda: self.now,
            history=self.history_file,
        )

    def _health(self) -> AgentHealth:
        time.sleep(self.slow_seconds)
        return AgentHealth(
            version="0.1.0",
            up_seconds=60.0,
            servers=2,
            rounds=24,
            overruns=0,
            deadline_misses=0,
            in_flight=1,
            waiting=0,
            publish_errors=0,
            history_errors=0,
            history_lost=0,
            history_lost_points=0,
            history_cuts={"minute": 0, "hour": 0, "day": 0, "change": 0},
            history_oldest_age_seconds={"minute": 259200.0, "hour": 5184000.0, "day": 5184000.0},
            late=0,
            late_seconds=0.0,
            loop_age_seconds=0.5,
        )

    def publish(self, *verdicts: Verdict, holds_seconds: float = 10.0) -> None:
        """Publish these verdicts on one cluster to the live state."""
        by_server = {each.server: each for each in verdicts}
        due = dict.fromkeys(by_server, self.now + holds_seconds)
        name = verdicts[0].server.partition("/")[0]
        self.live_state.publish(
            Publication(cluster=name, verdicts=by_server, due=due, changes=(), seen=())
        )

    def connected(self, port: int | None = None) -> socket.socket:
        """Return a bare connection to the HTTP port, or another."""
        return socket.create_connection((HOST, port or self.port), TIMEOUT_SECONDS)

    def get(self, path: str, *, method: str = "GET", **headers: str) -> Answer:
        """Send an HTTP request, on a connection of its own."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        client = http.client.HTTPConnection(HOST, self.port, timeout=TIMEOUT_SECONDS)
        if self.tls:
            client = http.client.HTTPSConnection(
                HOST, self.port, timeout=TIMEOUT_SECONDS, context=self.tls
            )
        try:
            client.request(method, path, headers=named)
            answer = client.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read().decode())
        finally:
            client.close()

    def agent_check(self, question: bytes) -> bytes:
        """Send a request as HAProxy does, and return all data until the server closes."""
        with self.connected(self.haproxy_port) as client:
            client.sendall(question)
            return received(client)


def received(client: socket.socket) -> bytes:
    """Return all that comes until the server hangs up."""
    found = bytearray()
    try:
        while chunk := client.recv(65536):
            found += chunk
    except ConnectionResetError:
        pass
    return bytes(found)
