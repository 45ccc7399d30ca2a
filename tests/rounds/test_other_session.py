"""Checks with credentials run on a second session, which says nothing about LDAP service."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from msgspec.structs import replace

from demo import wait
from ldaphealth.checks import BUILT_IN
from ldaphealth.judging.judge import code, trust
from ldaphealth.ldap.deadline import Deadline
from ldaphealth.model import (
    AnyObservation,
    BindMethod,
    Credentials,
    Failure,
    FailureKind,
    Secret,
    Server,
    Trust,
)
from ldaphealth.rounds.other_session import RESERVED_PART, never_hard
from ldaphealth.rounds.probe import probe_server
from ldaphealth.rounds.round import RoundPlan, run_round
from ldaphealth.settings import ConfiguredCheck
from ldaphealth.workers import Workers
from tests.checks.seen import planned
from tests.hostile.servers import entry, listening, message, result, silent
from tests.lateness import repeated_when_late

BIND, SEARCH, EXTENDED = 0x60, 0x63, 0x77  # tags of requests (RFC 4511)
SUCCESS, PROTOCOL_ERROR, INVALID_CREDENTIALS, BUSY = 0, 2, 49, 51
OWN, WEB, MAIL = (
    Credentials(BindMethod.SIMPLE, f"cn={name}", Secret("x")) for name in ("own", "web", "mail")
)
Answer = Callable[[socket.socket, bytes], bytes]
DEADLINE_SECONDS = 1.0


def search_as(
    name: str, credentials: Credentials | None = None, *, every: int = 1
) -> ConfiguredCheck:
    return replace(planned("search"), alias=name, credentials=credentials, every=every)


def checks(*named: ConfiguredCheck) -> tuple[ConfiguredCheck, ...]:
    own = [planned(name) for name in ("connect", "bind", "search")]
    return (*own, *named, planned("latency"), planned("unbind"))


class FakeServer:
    """Answers binds and searches, knows no extended operation, and notes all requests.

    `to` has, by a part of the DN of the bind, what a connection gets in place of success: the
    result code of the bind, that of each search, or another way to behave.
    """

    def __init__(self) -> None:
        self.binds: dict[str, int] = {}
        self.searches: dict[str, int] = {}
        self.instead: dict[str, Callable[[socket.socket], None]] = {}
        self.requests: list[list[str]] = []
        self._ended: list[object] = []

    def __call__(self, peer: socket.socket) -> None:
        """Serve one connection."""
        requests: list[str] = []
        self.requests.append(requests)
        try:
            self._serve(peer, requests)
        finally:
            self._ended.append(peer)

    def wait_until_closed(self) -> None:
        """Wait until all that was sent on the connections is noted."""
        wait.until(lambda: len(self._ended) == len(self.requests), 5.0, "a connection is open")

    def _serve(self, peer: socket.socket, requests: list[str]) -> None:
        account = ""
        while data := peer.recv(4096):
            at = data.index(b"\x02\x02") + 4
            message_id, tag = int.from_bytes(data[at - 2 : at]), data[at]
            if tag == BIND:
                account = data.partition(b"cn=")[2].partition(b"\x80")[0].decode()
                requests.append(f"bind {account}")
                if account in self.instead:
                    self.instead[account](peer)
                    return
                peer.sendall(message(message_id, result(1, self.binds.get(account, SUCCESS))))
            elif tag == SEARCH:
                requests.append(f"search {account}")
                done = self.searches.get(account, SUCCESS)
                found = message(message_id, entry()) if done == SUCCESS else b""
                peer.sendall(found + message(message_id, result(5, done)))
            elif tag == EXTENDED:
                requests.append(f"extended {account}")
                peer.sendall(message(message_id, result(24, PROTOCOL_ERROR)))
            else:
                requests.append(f"unbind {account}")


@contextmanager
def serving(fake: FakeServer) -> Iterator[Server]:
    with listening(fake) as port:
        yield Server(
            cluster="c", name="s0", uri=f"ldap://127.0.0.1:{port}", suffix="dc=x", credentials=OWN
        )
        fake.wait_until_closed()


def probed(
    fake: FakeServer, *named: ConfiguredCheck, seconds: float = DEADLINE_SECONDS
) -> dict[str, AnyObservation]:
    with serving(fake) as server:
        seen = probe_server(server, checks(*named), Deadline.after(seconds))
    return {each.check: each for each in seen}


def failures(seen: dict[str, AnyObservation]) -> dict[str, tuple[str, Trust]]:
    """Return the code and the trust of what failed, by the name of the check."""
    return {
        name: (code(name, each.failure), trust(each.failure))
        for name, each in seen.items()
        if each.failure is not None
    }


def test_checks_with_the_same_account_share_a_second_session() -> None:
    fake = FakeServer()
    seen = probed(fake, search_as("a", WEB), search_as("b", WEB), search_as("c", MAIL))

    assert [*seen] == ["connect", "bind", "search", "a", "b", "c", "latency", "unbind"]
    assert failures(seen) == {}
    assert fake.requests == [
        ["bind own", "search own", "unbind own"],
        ["bind web", "search web", "search web", "unbind web"],
        ["bind mail", "search mail", "unbind mail"],
    ]


def test_a_check_with_the_account_of_the_server_stays_on_its_session() -> None:
    fake = FakeServer()
    probed(fake, search_as("a", OWN))

    assert fake.requests == [["bind own", "search own", "search own", "unbind own"]]


def test_the_time_to_open_the_second_session_is_the_time_of_its_first_check() -> None:
    seen = probed(FakeServer(), search_as("a", WEB), search_as("b", WEB))

    assert [*seen["bind"].timings] == ["bind"]
    assert [*seen["a"].timings] == ["open_session", "search"]
    assert [*seen["b"].timings] == ["search"]


@pytest.mark.parametrize(
    ("named", "counts"),
    [
        pytest.param(search_as("a", WEB), False, id="on another session"),
        pytest.param(search_as("a", every=5), False, id="in some rounds only"),
        pytest.param(search_as("a"), True, id="in each session"),
    ],
)
def test_the_times_of_a_session_are_of_what_all_sessions_have(
    named: ConfiguredCheck, counts: bool
) -> None:
    """Otherwise a server with more checks appears slower than the others."""
    seen = probed(FakeServer(), named)
    facts = seen["latency"].facts
    assert facts is not None

    expected = seen["search"].timings["search"] + counts * seen["a"].timings["search"]
    assert facts.seconds["search"] == pytest.approx(expected)


def closing(peer: socket.socket) -> None:
    peer.shutdown(socket.SHUT_RDWR)


def garbage(peer: socket.socket) -> None:
    peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 10)


@pytest.mark.parametrize(
    ("prepare", "expected"),
    [
        pytest.param(
            {"binds": {"web": INVALID_CREDENTIALS}},
            ("invalidCredentials", Trust.EXPECTATION),
            id="refused",
        ),
        pytest.param({"binds": {"web": BUSY}}, ("other_session", Trust.SOFT), id="busy"),
        pytest.param({"searches": {"web": BUSY}}, ("other_session", Trust.SOFT), id="busy later"),
        pytest.param({"searches": {"web": 32}}, ("noSuchObject", Trust.EXPECTATION), id="hidden"),
        pytest.param({"instead": {"web": closing}}, ("other_session", Trust.SOFT), id="closed"),
        pytest.param({"instead": {"web": garbage}}, ("other_session", Trust.SOFT), id="no LDAP"),
        pytest.param({"instead": {"web": silent}}, ("timeout", Trust.SOFT), id="silent"),
    ],
)
@repeated_when_late
def test_a_failure_of_the_second_session_is_never_hard_and_ends_no_other(
    prepare: dict[str, dict[str, object]], expected: tuple[str, Trust]
) -> None:
    fake = FakeServer()
    for name, of in prepare.items():
        setattr(fake, name, of)

    seen = probed(fake, search_as("a", WEB), search_as("b", MAIL))

    assert failures(seen) == {"a": expected} | (
        {"b": ("timeout", Trust.SOFT)} if expected[0] == "timeout" else {}
    )
    assert seen["unbind"].failure is None


@repeated_when_late
def test_a_silent_second_session_leaves_time_for_the_rest() -> None:
    fake = FakeServer()
    fake.instead = {"web": silent}
    seen = probed(fake, search_as("a", WEB))

    assert seen["unbind"].failure is None
    assert seen["unbind"].ended_at - seen["connect"].started_at < DEADLINE_SECONDS
    assert seen["a"].duration_seconds > DEADLINE_SECONDS * (1 - 2 * RESERVED_PART)


def test_an_account_that_was_refused_is_not_tried_for_its_next_check() -> None:
    fake = FakeServer()
    fake.binds = {"web": INVALID_CREDENTIALS}
    seen = probed(fake, search_as("a", WEB), search_as("b", MAIL), search_as("c", WEB))

    assert [*failures(seen)] == ["a", "c"]
    assert [each[0] for each in fake.requests] == ["bind own", "bind web", "bind mail"]


def test_an_account_that_was_refused_is_not_tried_again_in_the_round() -> None:
    """A round with a new failure has more probes, and each of them would bind."""
    fake = FakeServer()
    fake.binds = {"web": INVALID_CREDENTIALS}
    with serving(fake) as server:
        plan = RoundPlan(server, checks(search_as("a", WEB), search_as("b", MAIL)), 2.0, 0.0)
        seen = run_round(plan, probe_server, Workers("second", 1))

    binds = [each[0] for each in fake.requests]
    assert binds.count("bind own") == binds.count("bind mail") == 2
    assert binds.count("bind web") == 1
    assert [each.check for each in seen if each.failure is not None] == ["a"]


@repeated_when_late
def test_a_parallel_probe_tries_no_account_at_the_same_time() -> None:
    fake = FakeServer()
    fake.instead = {"web": silent}
    with serving(fake) as server:
        plan = RoundPlan(server, checks(search_as("a", WEB)), DEADLINE_SECONDS, 0.0)
        seen = run_round(plan, probe_server, Workers("second", 1))

    assert [each[0] for each in fake.requests] == ["bind own", "bind web", "bind own"]
    latest = {each.check: each for each in seen}
    assert [name for name, each in latest.items() if each.failure is not None] == ["a"]


def test_the_operations_of_the_second_session_count_as_those_of_the_agent() -> None:
    """Check `monitor` subtracts them from what slapd has counted."""
    counted: list[dict[str, int]] = []

    def observe(session: object, _: object) -> object:
        counted.append(dict(session.counts))  # type: ignore[attr-defined]
        return BUILT_IN["bind"].facts()

    counting = replace(planned("bind"), check=replace(BUILT_IN["bind"], observe=observe))
    fake = FakeServer()
    fake.binds = {"mail": INVALID_CREDENTIALS}
    with serving(fake) as server:
        wanted = (
            *checks(search_as("a", WEB), search_as("b", MAIL))[:-2],
            replace(counting, alias="count"),
            planned("unbind"),
        )
        probe_server(server, wanted, Deadline.after(2.0))

    assert counted == [{"bind": 3, "search": 2, "unbind": 1}]


@pytest.mark.parametrize("kind", FailureKind)
@pytest.mark.parametrize("result_code", ["", "busy", "unavailable", "noSuchObject"])
def test_no_failure_of_a_second_session_is_hard(kind: FailureKind, result_code: str) -> None:
    failure = never_hard(Failure(kind, "why", result_code))

    assert trust(failure) is not Trust.HARD
    assert "why" in failure.detail
