"""No server holds a probe past its deadline, on a busy machine either; and none is a bug of ours.

The servers answer each request rightly, or with octets changed, and the bytes go out in some way:
drips, floods, a reset, the end of one direction, silence. `make fuzz MINUTES=60` tries for long.
"""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from ldaphealth.check import View
from ldaphealth.checks import BUILT_IN
from ldaphealth.ldap import ber
from ldaphealth.ldap.deadline import Deadline
from ldaphealth.ldap.transport import frame_bytes
from ldaphealth.model import AnyObservation, FailureKind, Server
from ldaphealth.rounds.probe import probe_server
from ldaphealth.settings import ConfiguredCheck
from tests.fuzz.mutation import PIECES, TELLING
from tests.hostile.servers import entry, listening, message, result
from tests.lateness import Stopwatch

DEADLINE_SECONDS = 0.3
LATE_SECONDS = 0.2  # past the deadline, without the time for which this machine was late
SESSIONS = 60  # in the suite
HIDDEN = (321, 1_000_670)  # a check can do without the answer to the search that ends the session
TRIES = 5  # of one session, where this machine was late
QUIET_SECONDS = 0.02
NAMES = (
    "connect",
    "bind",
    "search",
    "replication",
    "consumer",
    "resources",
    "monitor",
    "entry_count",
    "unbind",
)
CHECKS = tuple(
    ConfiguredCheck(BUILT_IN[name], BUILT_IN[name].params(), BUILT_IN[name].effect)
    for name in NAMES
)
BIND, SEARCH, COMPARE, MODIFY = 0x60, 0x63, 0x6E, 0x66
ATTRIBUTES = (
    "cn",
    "contextCSN",
    "monitorContext",
    "monitorCounter",
    "monitorOpCompleted",
    "monitoredInfo",
    "namingContexts",
    "olmMDBEntries",
    "olmMDBPagesMax",
    "olmMDBPagesUsed",
    "olmMDBReadersMax",
    "olmSRConnection",
    "olmSRLastConnect",
    "olmSRNextConnect",
    "olmSRSyncPhase",
)
VALUES = (
    b"20261123101500.123456Z#000000#001#000000",
    b"20261123101500Z",
    b"00000101000000Z",
    b"42",
    b"18446744073709551615",
    b"cn=Monitor",
    b"Persist",
    b"9" * 300,
    b"-1",
    b"\xff\x00\x1b[2J",
    b"",
)
DNS = (
    "dc=x",
    "cn=Current,cn=Connections,cn=Monitor",
    "cn=Max File Descriptors,cn=Connections,cn=Monitor",
    "cn=Search,cn=Operations,cn=Monitor",
    "cn=Consumer 001,cn=Database 1,cn=Databases,cn=Monitor",
)
Way = Callable[[socket.socket, bytes, random.Random], None]


def answers(request: bytes, chance: random.Random) -> bytes:
    """Return the answer to one request, right in most of the times."""
    number = int.from_bytes(request[4:6], "big")
    operation = request[6]
    if operation == SEARCH:
        parts = [message(number, odd_entry(chance)) for _ in range(chance.randrange(4))]
        parts.append(message(number, result(5, chance.choice((0, 0, 0, 4, 32, 50, 51)))))
        data = b"".join(parts)
    else:
        tag = {BIND: 1, COMPARE: 15, MODIFY: 7}.get(operation, 24)
        data = message(number, result(tag, chance.choice((0, 0, 0, 0, 49, 51, 53))))
    return changed(data, chance) if chance.random() < 0.3 else data


def odd_entry(chance: random.Random) -> bytes:
    """Return an entry as cn=Monitor has them, with values of any kind."""
    if chance.random() < 0.1:
        return entry(padding=chance.choice((0, 1000, 50_000, 70_000)))
    pairs = b""
    for name in chance.sample(ATTRIBUTES, 6):
        values = [chance.choice(VALUES) for _ in range(chance.randrange(4))]
        content = b"".join(ber.element(ber.OCTET_STRING, each) for each in values)
        pairs += ber.element(ber.SEQUENCE, ber.octet_string(name) + ber.element(ber.SET, content))
    return ber.element(0x64, ber.octet_string(chance.choice(DNS)) + ber.element(0x30, pairs))


def changed(data: bytes, chance: random.Random) -> bytes:
    """Return the octets with a few of them changed."""
    found = bytearray(data)
    for _ in range(chance.randrange(1, 4)):
        place = chance.randrange(len(found) + 1)
        piece = chance.choice(PIECES) if chance.random() < 0.2 else bytes([chance.choice(TELLING)])
        found[place : place + chance.randrange(3)] = piece
    return bytes(found)


def at_once(peer: socket.socket, data: bytes, _: random.Random) -> None:
    peer.sendall(data)


def in_drips(peer: socket.socket, data: bytes, chance: random.Random) -> None:
    pause_seconds = chance.choice((0.0, 0.001, 0.01, 0.1))
    for place in range(len(data)):
        peer.sendall(data[place : place + 1])
        time.sleep(pause_seconds)


def in_part(peer: socket.socket, data: bytes, chance: random.Random) -> None:
    peer.sendall(data[: chance.randrange(len(data) + 1)])
    silence(peer, data, chance)


def silence(peer: socket.socket, _: bytes, __: random.Random) -> None:
    peer.settimeout(5.0)
    while peer.recv(4096):
        pass


def flood(peer: socket.socket, data: bytes, chance: random.Random) -> None:
    more = chance.choice((b"\0" * 4096, data * 50, data[:-1] * 50, message(2, entry()) * 100))
    peer.sendall(data)
    while True:
        peer.sendall(more or b"\x30")


def half_closed(peer: socket.socket, data: bytes, chance: random.Random) -> None:
    peer.sendall(data[: chance.randrange(len(data) + 1)])
    peer.shutdown(socket.SHUT_WR)
    silence(peer, data, chance)


def deaf(peer: socket.socket, data: bytes, chance: random.Random) -> None:
    """Receive nothing more, and neither close."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    peer.sendall(data[: chance.randrange(len(data) + 1)])
    time.sleep(2 * DEADLINE_SECONDS)


def reset(peer: socket.socket, data: bytes, chance: random.Random) -> None:
    peer.sendall(data[: chance.randrange(len(data) + 1)])
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    peer.close()


WAYS: tuple[Way, ...] = (at_once, in_drips, in_part, silence, flood, half_closed, deaf, reset)


class Conversation:
    """A server that answers some requests at once, and the next one in another way."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __call__(self, peer: socket.socket) -> None:
        """Answer until the client goes; the same number gives the same answers."""
        chance = random.Random(self._number)  # noqa: S311
        patience, way = chance.randrange(8), chance.choice(WAYS)
        received = b""
        while chunk := peer.recv(4096):
            received += chunk
            while (size := frame_bytes(received)) is not None and len(received) >= size:
                request, received = received[:size], received[size:]
                send = at_once if patience > 0 else way
                patience -= 1
                send(peer, answers(whole_id(request), chance), chance)


def whole_id(request: bytes) -> bytes:
    """Return a request as if its length were of one octet, so that each field has its place."""
    body = request[2 + max(0, request[1] - 0x80) if request[1] >= 0x80 else 2 :]
    return request[:2] + body


def ends_in_time(number: int) -> list[AnyObservation]:
    """Probe that server; a late end counts if this machine was not late as well."""
    for _ in range(TRIES):
        with listening(Conversation(number)) as port:
            server = Server(cluster="c", name="s", uri=f"ldap://127.0.0.1:{port}", suffix="dc=x")
            with Stopwatch() as watch:
                seen = probe_server(server, CHECKS, Deadline.after(DEADLINE_SECONDS))
        if watch.seconds < DEADLINE_SECONDS + LATE_SECONDS:
            return seen
        assert watch.late_seconds > QUIET_SECONDS, f"session {number} took {watch.seconds:.3f} s"
    pytest.fail(f"session {number} took {watch.seconds:.3f} s in each of {TRIES} tries")


def judged(seen: list[AnyObservation]) -> Iterator[str]:
    """Yield the codes of what the checks make of what they saw; no judge may fail."""
    server = Server(cluster="c", name="s", uri="ldap://127.0.0.1:1", suffix="dc=x")
    for observation in seen:
        if observation.facts is None:
            continue
        check, params = BUILT_IN[observation.check], BUILT_IN[observation.check].params()
        if check.judge is not None:
            view = View(server, check.name, {server.id: [observation]})
            yield from (finding.code for finding in check.judge(view, params))


def is_no_bug(number: int) -> None:
    seen = ends_in_time(number)
    kinds = [each.failure.kind for each in seen if each.failure is not None]
    assert FailureKind.BUG not in kinds, (number, seen)
    assert all(judged(seen)), number


@pytest.mark.parametrize("number", HIDDEN)
def test_a_failure_that_a_check_hides_is_that_of_the_next_one(number: int) -> None:
    is_no_bug(number)


@pytest.mark.parametrize("part", range(4))
def test_a_probe_ends_in_time_and_is_no_bug(part: int, request: pytest.FixtureRequest) -> None:
    ends_at = time.monotonic() + request.config.getoption("--fuzz-minutes") * 60 / 4
    number = part * 1_000_000
    last = number + SESSIONS // 4
    while number < last or time.monotonic() < ends_at:
        is_no_bug(number)
        number += 1
    request.node.user_properties.append(("sessions", number - part * 1_000_000))
