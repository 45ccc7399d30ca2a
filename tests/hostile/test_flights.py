"""Probes whose requests travel together, with servers that answer them in every way but the usual.

The checks a, b and c read one entry each. tests/ldap/test_message_layer.py has the orders of
responses, and what breaks a connection.
"""

from __future__ import annotations

import itertools
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from ldaphealth.check import Check
from ldaphealth.ldap.deadline import Deadline
from ldaphealth.ldap.encoded_flights import encoded_flights
from ldaphealth.ldap.flight import CompareRequest, Flight, SearchRequest
from ldaphealth.ldap.message_layer import MessageLayer
from ldaphealth.ldap.session import Session
from ldaphealth.ldap.transport import Transport, frame_bytes
from ldaphealth.model import AnyObservation, CheckEffect, FailureKind, Server
from ldaphealth.rounds.probe import probe_server
from ldaphealth.settings import ConfiguredCheck
from tests.checks.seen import Nothing, planned
from tests.hostile.servers import Behaviour, entry, listening, message, result, silent
from tests.lateness import Stopwatch, repeated_when_late

DEADLINE_SECONDS = 10.0
SHORT_SECONDS = 1.0
NO_SUCH_OBJECT = result(5, 32)
DONE = result(5, 0)
ODD_ENTRY = b"\x64\x08\x02\x04\x7f\xff\xff\xff\x30\x00"  # a number in place of a DN
Answer = Callable[[Mapping[str, int]], Iterable[bytes]]  # by the message IDs of a, b and c


class Read(Struct, frozen=True):
    """What a check read: the names of attributes."""

    names: tuple[str, ...]


def reading(name: str) -> ConfiguredCheck:
    """Return a check that reads one entry, and states that."""

    def requests(_: Server, __: Nothing) -> Iterator[Flight]:
        yield (SearchRequest.read(f"cn={name}", ("cn",)),)

    def observe(session: Session, _: Nothing) -> Read:
        return Read((*session.read(f"cn={name}", ("cn",)),))

    check = Check(
        name=name,
        params=Nothing,
        facts=Read,
        requests=requests,
        observe=observe,
        judge=lambda _, __: (),
    )
    return ConfiguredCheck(check, Nothing(), CheckEffect.WATCH)


CHECKS = (planned("connect"), planned("bind"), *map(reading, "abc"), planned("unbind"))


class Conversation:
    """A server that answers the bind, and what is sent at once with these responses, in turns."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = answers
        self.turns: list[str] = []  # of each: the names of the searches

    def __call__(self, peer: socket.socket) -> None:
        """Answer until there are no more answers, and then say nothing."""
        (_,) = self._received(peer)
        peer.sendall(message(1, result(1, 0)))
        for answer in self._answers:
            found = self._received(peer)
            self.turns.append("".join(found))
            peer.sendall(b"".join(answer(found)))
        silent(peer)

    @staticmethod
    def _received(peer: socket.socket) -> dict[str, int]:
        """Return the message IDs of what comes at once, by the name in the request."""
        octets, found = peer.recv(1 << 16), {}
        while octets:
            size = frame_bytes(octets) or 0
            request, octets = octets[:size], octets[size:]
            name = request.partition(b"cn=")[2][:1].decode()
            found[name] = int.from_bytes(request[4:6], "big")
        return found


def all_of(*names: str) -> Answer:
    """Return right answers to these searches, in this order."""

    def answer(ids: Mapping[str, int]) -> Iterator[bytes]:
        for name in names or ids:
            yield message(ids[name], entry(f"cn={name}".encode())) + message(ids[name], DONE)

    return answer


def probed(
    behave: Behaviour,
    checks: Sequence[ConfiguredCheck] = CHECKS,
    *,
    pipeline: bool = True,
    deadline_seconds: float = DEADLINE_SECONDS,
) -> list[AnyObservation]:
    with listening(behave) as port:
        uri = f"ldap://127.0.0.1:{port}"
        server = Server(cluster="c", name="s", uri=uri, pipeline=pipeline)
        return probe_server(server, checks, Deadline.after(deadline_seconds))


def failures(seen: Iterable[AnyObservation]) -> dict[str, tuple[FailureKind, str]]:
    return {
        each.check: (each.failure.kind, each.failure.detail)
        for each in seen
        if each.failure is not None
    }


def test_three_checks_make_one_flight_whose_answers_come_in_another_order() -> None:
    server = Conversation(all_of("c", "a", "b"))

    seen = probed(server)

    assert server.turns == ["abc"]
    assert failures(seen) == {}
    assert [each.facts for each in seen[2:5]] == [Read(("cn",))] * 3


def test_without_pipeline_each_request_waits_for_the_answer_to_the_one_before() -> None:
    server = Conversation(all_of(), all_of(), all_of())

    seen = probed(server, pipeline=False)

    assert server.turns == ["a", "b", "c"]
    assert failures(seen) == {}


def test_an_observation_began_when_its_flight_was_sent() -> None:
    """What it observed may be as old: it must not seem to be newer than it is."""
    a, b, c = probed(Conversation(all_of()))[2:5]

    assert a.started_at < b.started_at == c.started_at < a.ended_at
    for each in (a, b, c):
        assert [*each.timings] == ["search"]
        assert sum(each.timings.values()) <= each.duration_seconds


@repeated_when_late
def test_silence_after_half_of_the_answers_fails_the_check_that_waits() -> None:
    with Stopwatch() as watch:
        seen = probed(Conversation(all_of("c", "a")), deadline_seconds=SHORT_SECONDS)

    assert watch.seconds < SHORT_SECONDS + 0.2
    assert failures(seen) == {
        "b": (FailureKind.TIMEOUT, "no answer within 1 s to the search below cn=b")
    }
    a, b = seen[2:]
    assert b.failure is not None
    assert b.failure.answered
    assert b.started_at >= a.ended_at, "the server was well until then"


def test_one_answer_that_is_no_success_fails_its_check_only() -> None:
    def answer(ids: Mapping[str, int]) -> Iterator[bytes]:
        yield message(ids["b"], NO_SUCH_OBJECT)
        yield from all_of("a", "c")(ids)

    found = failures(probed(Conversation(answer)))

    assert {check: kind for check, (kind, _) in found.items()} == {"b": FailureKind.RESULT}


def test_an_entry_that_is_no_ldap_fails_the_check_that_asked_for_it() -> None:
    def answer(ids: Mapping[str, int]) -> Iterator[bytes]:
        yield message(ids["b"], ODD_ENTRY) + message(ids["b"], DONE)
        yield from all_of("a", "c")(ids)

    seen = probed(Conversation(answer))

    assert [*failures(seen)] == ["b"]
    assert seen[-1].check == "b"


def test_requests_that_nobody_makes_after_all_do_no_harm() -> None:
    """The check a fails before it reads; b has the answers to all three in its flight."""

    def fail(_: Session, __: Nothing) -> Read:
        raise ZeroDivisionError

    first = CHECKS[2]
    broken = replace(first, check=replace(first.check, observe=fail))
    server = Conversation(all_of("b"))

    seen = probed(server, (*CHECKS[:2], broken, CHECKS[3], planned("unbind")))

    assert server.turns == ["ab"]
    assert [*failures(seen)] == ["a"]
    assert seen[-1].check == "unbind"


def test_what_a_check_does_not_state_is_sent_when_all_is_answered() -> None:
    """The counters that `monitor` reads must not count what is not yet done."""

    def read_more(session: Session, _: Nothing) -> Read:
        session.read("cn=a", ("cn",))
        session.read("cn=x", ("cn",))
        return Read(())

    first = CHECKS[2]
    more = replace(first, check=replace(first.check, observe=read_more))
    server = Conversation(all_of("b", "a", "c"), all_of())

    seen = probed(server, (*CHECKS[:2], more, *CHECKS[3:]))

    assert server.turns == ["abc", "x"]
    assert failures(seen) == {}


def test_what_overlaps_counts_once() -> None:
    """The clock goes on by a second whenever it is read; all answers come at once."""
    clock = itertools.count()
    deadline = Deadline(1e6, 1e6, lambda: float(next(clock)))
    names = ("cn=a", "cn=b", "cn=c")

    def answer(number: int) -> bytes:
        return message(number, entry()) + message(number, DONE)

    ours, theirs = socket.socketpair()
    with ours, theirs:
        session = Session(Server(cluster="c", name="s", uri="ldap://127.0.0.1"), deadline)
        session.plan(encoded_flights([tuple(SearchRequest.read(each, ("cn",)) for each in names)]))
        ours.setblocking(False)
        session._messages = MessageLayer(
            Transport(ours, deadline), session._planned, session.counts
        )
        theirs.sendall(answer(1) + answer(2) + answer(3))
        session.read("cn=a", ("cn",))
        once = session.timings["search"]
        session.read("cn=b", ("cn",))
        of_two = session.timings["search"]
        session.timings = {}
        session.read("cn=c", ("cn",))
        of_another_check, together = session.timings["search"], session.totals["search"]
        theirs.sendall(answer(4))
        session.read("cn=alone", ("cn",))

    assert once > 0
    assert [of_two, of_another_check, together] == [once] * 3
    assert session.totals["search"] > together
    assert session.counts == {"search": 4}


def test_a_request_that_cannot_be_encoded_fails_the_check_that_makes_it() -> None:
    """A lone surrogate, which no filter of the configuration has, in the place of a name."""
    first = CHECKS[2]

    def requests(_: Server, __: Nothing) -> Iterator[Flight]:
        yield (SearchRequest.read("cn=\ud800", ("cn",)), CompareRequest("cn=b", "cn", "b"))

    def observe(session: Session, _: Nothing) -> Read:
        assert session.compare("cn=b", "cn", "b")
        return Read((*session.read("cn=\ud800", ("cn",)),))

    broken = replace(first, check=replace(first.check, requests=requests, observe=observe))
    server = Conversation(lambda ids: [message(ids["b"], result(15, 6))])

    seen = probed(server, (*CHECKS[:2], broken, planned("unbind")))

    assert failures(seen)["a"][0] is FailureKind.BUG
    assert [each.check for each in seen] == ["connect", "bind", "a", "unbind"]
