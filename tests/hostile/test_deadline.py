"""No server can keep a look longer than its deadline, whatever it does."""

from __future__ import annotations

import contextlib
import resource
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec import Struct
from msgspec.structs import replace

from ldaphealth.checks import BUILT_IN, connect
from ldaphealth.event_loop import EventLoop
from ldaphealth.judging.judge import trust
from ldaphealth.ldap.deadline import Deadline
from ldaphealth.ldap.session import Session
from ldaphealth.model import FailureKind, Server, Tls, Trust
from ldaphealth.rounds.probe import probe_server
from ldaphealth.rounds.round import RoundPlan, run_round
from ldaphealth.settings import ConfiguredCheck
from tests.hostile import servers
from tests.lateness import Stopwatch, repeated_when_late
from tests.places import LOOP, PATIENCE_SECONDS, THREAD, Place

DEADLINE_SECONDS = 1.0
ALLOWED_SECONDS = DEADLINE_SECONDS + 0.2
ALLOWED_KIB = 64 * 1024
CHECKS = [
    ConfiguredCheck(BUILT_IN[name], BUILT_IN[name].params(), BUILT_IN[name].effect)
    for name in ("connect", "bind", "search", "unbind")
]


@pytest.fixture(params=[THREAD, LOOP], ids=["thread", "loop"])
def place(request: pytest.FixtureRequest) -> Place:
    found: Place = request.param
    return found


HOSTILE = [
    pytest.param(servers.silent, "bind", FailureKind.TIMEOUT, id="a silent server"),
    pytest.param(servers.drip, "bind", FailureKind.TIMEOUT, id="a byte every half second"),
    pytest.param(
        servers.slow_answers, "search", FailureKind.TIMEOUT, id="each answer late but right"
    ),
    pytest.param(servers.endless, "search", FailureKind.TOO_LARGE, id="entries without end"),
    pytest.param(servers.garbage, "bind", FailureKind.PROTOCOL, id="a web server"),
    pytest.param(
        servers.answering(b"\x30\x84\x7f\xff\xff\xff" + b"\0" * 10_000),
        "bind",
        FailureKind.TOO_LARGE,
        id="a message of two gibibytes",
    ),
    pytest.param(
        servers.answering(b"\x30\x83\x00\xc3\x55\x02\x83\x00\xc3\x50" + b"\x01" * 50_000),
        "bind",
        FailureKind.PROTOCOL,
        id="a message ID of 50 kB",
    ),
    pytest.param(
        servers.answering(
            servers.message(1, servers.result(1, 0)),
            servers.message(2, b"\x64\x08\x02\x04\x7f\xff\xff\xff\x30\x00"),
        ),
        "search",
        FailureKind.PROTOCOL,
        id="a number in place of a DN",
    ),
    pytest.param(
        servers.answering(
            servers.message(1, b"\x61\x0b\x0a\x01\x31\x04\x00\x02\x04\x7f\xff\xff\xff")
        ),
        "bind",
        FailureKind.PROTOCOL,
        id="a number in place of a text",
    ),
    pytest.param(
        servers.answering(b"\x30\x82\x4e\x20" + b"\x30\x80" * 10_000),
        "bind",
        FailureKind.PROTOCOL,
        id="nesting ten thousand deep",
    ),
]


PLAN = RoundPlan(Server(cluster="c", name="s", uri=""), CHECKS, DEADLINE_SECONDS, 0.3)


@pytest.mark.parametrize(
    ("behave", "start_tls", "expected"),
    [
        pytest.param(servers.silent, False, {("bind", Trust.HARD)}, id="silent"),
        pytest.param(servers.drip, False, {("bind", Trust.HARD)}, id="a part of a response"),
        pytest.param(servers.slow_answers, False, {("search", Trust.SOFT)}, id="late answers"),
        pytest.param(
            servers.answering(servers.message(1, servers.result(1, 0))),
            False,
            {("search", Trust.SOFT)},
            id="an answer to the bind only",
        ),
        pytest.param(
            servers.answering(servers.message(1, servers.result(24, 0))),
            True,
            {("connect", Trust.SOFT)},
            id="an answer to StartTLS only",
        ),
    ],
)
@repeated_when_late
def test_a_server_that_answered_anything_in_a_round_is_slow_and_not_gone(
    behave: servers.Behaviour,
    start_tls: bool,
    expected: set[tuple[str, Trust]],
    place: Place,
    tmp_path: Path,
) -> None:
    """The second connection of the round has less time, and may get no answer at all."""
    tls = Tls(start_tls=start_tls, ca_file=servers.Authority(tmp_path).ca_file)
    with servers.listening(behave) as port:
        server = replace(PLAN.server, uri=f"ldap://127.0.0.1:{port}", tls=tls)
        seen = place.call(run_round, replace(PLAN, server=server), probe_server, place.beside)

    latest = {each.check: each for each in seen}.values()
    failures = {(each.check, each.failure) for each in latest if each.failure is not None}
    assert {(check, trust(failure)) for check, failure in failures} == expected
    assert {failure.kind for _, failure in failures} == {FailureKind.TIMEOUT}


@pytest.mark.parametrize("tls", [False, True], ids=["in the clear", "inside TLS"])
@pytest.mark.parametrize(("behave", "check", "kind"), HOSTILE)
@repeated_when_late
def test_a_hostile_server_ends_the_look_in_time_with_the_right_failure(  # noqa: PLR0913, PLR0917
    behave: servers.Behaviour,
    check: str,
    kind: FailureKind,
    tls: bool,
    place: Place,
    tmp_path: Path,
) -> None:
    authority = servers.Authority(tmp_path)
    context = authority.context("127.0.0.1") if tls else None
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with servers.listening(behave, context) as port:
        uri = f"{'ldaps' if tls else 'ldap'}://127.0.0.1:{port}"
        server = Server(cluster="c", name="s", uri=uri, tls=Tls(ca_file=authority.ca_file))
        with Stopwatch() as watch:
            seen = place.call(probe_server, server, CHECKS, Deadline.after(DEADLINE_SECONDS))

    last = seen[-1]
    assert last.failure is not None
    assert (last.check, last.failure.kind) == (check, kind), last.failure
    assert watch.seconds < ALLOWED_SECONDS
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < ALLOWED_KIB


@repeated_when_late
def test_a_handshake_that_never_comes_ends_the_look_in_time(place: Place) -> None:
    with servers.listening(servers.silent) as port:
        server = Server(cluster="c", name="s", uri=f"ldaps://127.0.0.1:{port}")

        with Stopwatch() as watch:
            seen = place.call(probe_server, server, CHECKS, Deadline.after(DEADLINE_SECONDS))

    assert [(o.check, o.failure and o.failure.kind) for o in seen] == [
        ("connect", FailureKind.TIMEOUT)
    ]
    assert watch.seconds < ALLOWED_SECONDS


def slow_clock(times: float) -> Callable[[], float]:
    """Return a clock that goes so many times slower than the monotonic one."""
    began = time.monotonic()
    return lambda: began + (time.monotonic() - began) / times


@pytest.mark.parametrize("tls", [False, True], ids=["in the clear", "inside TLS"])
@repeated_when_late
def test_a_wait_goes_on_while_the_deadline_moves(tls: bool, place: Place, tmp_path: Path) -> None:
    """The answers are 1.4 s late together, and the clock of the deadline goes slower."""
    authority = servers.Authority(tmp_path)
    context = authority.context("127.0.0.1") if tls else None
    with servers.listening(servers.slow_answers, context) as port:
        uri = f"{'ldaps' if tls else 'ldap'}://127.0.0.1:{port}"
        server = Server(cluster="c", name="s", uri=uri, tls=Tls(ca_file=authority.ca_file))

        seen = place.call(probe_server, server, CHECKS[:3], Deadline.after(0.5, slow_clock(4.0)))

    assert [each.failure for each in seen] == [None, None, None]
    assert sum(seen[1].timings.values()) == pytest.approx(0.7 / 4, abs=0.1)


@repeated_when_late
def test_a_connect_goes_on_while_the_deadline_moves(place: Place) -> None:
    """Connects go unanswered while the queue is full; the kernel tries again after a second."""
    with socket.socket() as listener, contextlib.ExitStack() as queue:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        for _ in range(2):
            waiting = queue.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(address)

        def empty_queue() -> None:
            for _ in range(2):
                listener.accept()[0].close()

        accept = threading.Timer(0.5, empty_queue)
        accept.start()
        queue.callback(accept.join)
        server = Server(cluster="c", name="s", uri=f"ldap://127.0.0.1:{address[1]}")

        (seen,) = place.call(probe_server, server, CHECKS[:1], Deadline.after(0.4, slow_clock(8.0)))

    assert seen.failure is None


@repeated_when_late
def test_a_server_that_is_silent_is_reported_when_the_deadline_that_moved_has_passed(
    place: Place,
) -> None:
    with servers.listening(servers.silent) as port:
        server = Server(cluster="c", name="s", uri=f"ldap://127.0.0.1:{port}")
        with Stopwatch() as watch:
            seen = place.call(probe_server, server, CHECKS, Deadline.after(0.2, slow_clock(5.0)))

    assert watch.elapsed_seconds > 0.7
    assert watch.seconds < 1.3
    assert seen[-1].failure is not None
    assert seen[-1].failure.kind is FailureKind.TIMEOUT


def test_servers_that_hang_delay_no_other_server() -> None:
    """Four hundred sessions without an answer wait beside those that get one at once."""
    loop = EventLoop("many")
    with servers.unaccepted() as silent, servers.listening(servers.garbage) as port:
        hung = Server(cluster="c", name="hung", uri=f"ldap://127.0.0.1:{silent}")
        other = replace(hung, name="other", uri=f"ldap://127.0.0.1:{port}")
        deadline = Deadline.after(60.0)
        waiting = [loop.submit(probe_server, hung, CHECKS, deadline) for _ in range(400)]
        for _ in range(20):
            seen = loop.submit(probe_server, other, CHECKS, deadline).result(PATIENCE_SECONDS)
            assert seen[-1].failure is not None
            assert seen[-1].failure.kind is FailureKind.PROTOCOL
        assert not any(each.done() for each in waiting)
    kinds = {
        each.result(PATIENCE_SECONDS)[-1].failure.kind  # type: ignore[union-attr]
        for each in waiting
    }
    loop.shutdown()
    assert kinds == {FailureKind.CONNECT}, "they were closed"


def test_a_check_of_another_package_that_blocks_delays_no_other_server() -> None:
    began, end = threading.Event(), threading.Event()

    def block(session: Session, _: Struct) -> connect.Facts:
        session.connect()
        began.set()
        assert end.wait(PATIENCE_SECONDS)
        return connect.Facts()

    foreign = ConfiguredCheck(
        replace(BUILT_IN["connect"], observe=block), CHECKS[0].params, CHECKS[0].effect
    )
    loop = EventLoop("blocked")
    with servers.listening(servers.garbage) as port:
        server = Server(cluster="c", name="s", uri=f"ldap://127.0.0.1:{port}")
        blocked = loop.submit(probe_server, server, [foreign, *CHECKS[1:]], Deadline.after(30.0))
        assert began.wait(PATIENCE_SECONDS)
        seen = loop.submit(probe_server, server, CHECKS, Deadline.after(30.0))
        assert [each.check for each in seen.result(PATIENCE_SECONDS)] == ["connect", "bind"]
        assert not blocked.done()
        end.set()
        assert [each.check for each in blocked.result(PATIENCE_SECONDS)] == ["connect", "bind"]
    loop.shutdown()
