"""Responses belong to their requests, in whatever order and pieces they come.

The octets of the server are in the socket before they are asked for, so no time passes.
"""

from __future__ import annotations

import contextlib
import random
import socket
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaphealth.ldap import codec
from ldaphealth.ldap.deadline import Deadline, SessionError
from ldaphealth.ldap.message_layer import EncodedRequest, MessageLayer
from ldaphealth.ldap.transport import Transport, frame_bytes
from ldaphealth.model import FailureKind
from tests.hostile.servers import entry, message, result

DONE, COMPARED, BOUND = result(5, 0), result(15, 6), result(1, 0)
NOTICE = message(0, b"\x78\x07\x0a\x01\x34\x04\x00\x04\x00")  # Notice of Disconnection: unavailable
BUDGET_BYTES = 4096


def search(name: str) -> EncodedRequest:
    octets = codec.search_request(f"cn={name}", "base", "(cn=*)", ("cn",), 0)
    return EncodedRequest("search", octets, codec.DONE, f"the search below cn={name}")


BIND = EncodedRequest("bind", b"\x60\x07\x02\x01\x03\x04\x00\x80\x00", codec.BIND, "the bind")


class Peer:
    """A message layer with these flights, and the other end of its connection."""

    def __init__(self, ours: socket.socket, theirs: socket.socket, *flights: str) -> None:
        self.counts: dict[str, int] = {}
        planned: dict[bytes, Sequence[EncodedRequest]] = {}
        for flight in flights:
            requests = [*map(search, flight)]
            planned |= {each.octets: requests for each in requests}
        ours.setblocking(False)
        transport = Transport(ours, Deadline.after(5.0), BUDGET_BYTES)
        self.layer = MessageLayer(transport, planned, self.counts)
        self._theirs = theirs
        self._theirs.settimeout(5.0)

    def says(self, *octets: bytes) -> None:
        """Send this, whatever was sent to it."""
        self._theirs.sendall(b"".join(octets))

    def closes(self) -> None:
        """Send nothing more."""
        self._theirs.shutdown(socket.SHUT_WR)

    def received(self) -> list[str]:
        """Return what came since the last time: `s` and the name of a search, `b` for a bind."""
        self._theirs.setblocking(False)
        octets, found = b"", []
        with contextlib.suppress(BlockingIOError):
            while chunk := self._theirs.recv(4096):
                octets += chunk
        self._theirs.settimeout(5.0)
        while (size := frame_bytes(octets)) is not None and octets:
            request, octets = octets[:size], octets[size:]
            name = request.partition(b"cn=")[2][:1].decode()
            found.append(f"s{name}" if name else "b")
        return found

    def asked(self, request: EncodedRequest) -> list[int]:
        """Return the tags of the responses to a request."""
        sent = self.layer.request(request)
        tags: list[int] = []
        while not tags or tags[-1] != request.final:
            tags.append(self.layer.response(sent).tag)
        return tags

    def failure(self, request: EncodedRequest) -> tuple[FailureKind, str]:
        """Return why a request fails."""
        with pytest.raises(SessionError) as caught:
            self.asked(request)
        return caught.value.failure.kind, caught.value.failure.detail


Meeting = Callable[..., Peer]


@pytest.fixture
def meet() -> Iterator[Meeting]:
    """Return a function that makes a peer with flights: a text each, with a letter a search."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield lambda *flights: Peer(ours, theirs, *flights)


def test_a_flight_is_sent_when_the_first_of_it_is_asked_for_and_then_no_more(meet: Meeting) -> None:
    peer = meet("ab", "cd")
    assert peer.received() == []
    peer.says(message(2, DONE), message(1, entry()), message(1, DONE))

    assert peer.asked(search("b")) == [codec.DONE]
    assert peer.received() == ["sa", "sb"]
    assert peer.asked(search("a")) == [codec.ENTRY, codec.DONE]
    assert peer.received() == []
    assert peer.counts == {"search": 2}


def test_what_was_asked_for_is_sent_again_when_it_is_asked_for_again(meet: Meeting) -> None:
    peer = meet("ab")
    peer.says(message(1, DONE), message(2, DONE), message(3, DONE))
    peer.asked(search("a"))
    peer.received()

    assert peer.asked(search("a")) == [codec.DONE]
    assert peer.received() == ["sa"]


def test_flights_are_sent_in_their_order(meet: Meeting) -> None:
    """The second may depend on the first, whose request nobody has made yet."""
    peer = meet("ab", "cd")
    peer.says(*(message(number, DONE) for number in range(1, 5)))

    peer.asked(search("d"))

    assert peer.received() == ["sa", "sb", "sc", "sd"]
    assert peer.counts == {"search": 4}


def test_a_flight_waits_for_all_answers_to_the_one_before(meet: Meeting) -> None:
    peer = meet("ab", "c")
    peer.says(message(1, DONE))
    peer.asked(search("a"))
    peer.received()
    peer.closes()

    kind, detail = peer.failure(search("c"))

    assert kind is FailureKind.CONNECT
    assert detail == "the server closed the connection during the search below cn=b"
    assert peer.received() == []


@pytest.mark.parametrize("alone", [search("x"), BIND], ids=["a search", "a bind"])
def test_a_request_without_a_flight_is_alone_on_the_connection(
    meet: Meeting, alone: EncodedRequest
) -> None:
    """Nothing may be outstanding during a bind (RFC 4511 4.2.1); and its time is its own."""
    peer = meet("abc")
    peer.says(message(1, DONE))
    peer.asked(search("a"))
    peer.received()
    final = BOUND if alone is BIND else DONE
    peer.says(message(3, DONE), message(2, entry()), message(2, DONE), message(4, final))

    peer.asked(alone)

    assert peer.counts["search"] == 3 + (alone is not BIND)
    assert peer.asked(search("b")) == [codec.ENTRY, codec.DONE]
    assert peer.asked(search("c")) == [codec.DONE]


def test_the_unbind_waits_for_nothing(meet: Meeting) -> None:
    peer = meet("ab")
    peer.says(message(1, DONE))
    peer.asked(search("a"))

    peer.layer.send_unbind()

    assert peer.received() == ["sa", "sb", "b"]


@pytest.mark.parametrize(
    ("octets", "kind", "detail"),
    [
        pytest.param(
            message(3, DONE),
            FailureKind.PROTOCOL,
            "unexpected message ID 3 in a response",
            id="an answer to nothing",
        ),
        pytest.param(
            message(2, DONE) + message(2, DONE),
            FailureKind.PROTOCOL,
            "unexpected message ID 2 in a response",
            id="a second answer to another request",
        ),
        pytest.param(
            message(2, DONE) + message(2, entry()),
            FailureKind.PROTOCOL,
            "unexpected message ID 2 in a response",
            id="an entry after the end",
        ),
        pytest.param(
            message(2, COMPARED),
            FailureKind.PROTOCOL,
            "unexpected type of response to search",
            id="an answer of another type",
        ),
        pytest.param(
            message(2, entry()) + NOTICE,
            FailureKind.CONNECT,
            "the server closed the session: the server is shutting down, or its database is "
            "offline (unavailable)",
            id="a notice of disconnection",
        ),
        pytest.param(
            message(2, DONE) + b"HTTP/1.1",
            FailureKind.PROTOCOL,
            "what the server sent is not LDAP",
            id="no LDAP",
        ),
        pytest.param(
            message(2, entry()) * BUDGET_BYTES,
            FailureKind.TOO_LARGE,
            "a response of 50 bytes exceeds the limit of a session",
            id="a flood for another request",
        ),
        pytest.param(
            b"",
            FailureKind.CONNECT,
            "the server closed the connection during the search below cn=a",
            id="the end",
        ),
        pytest.param(
            message(2, DONE),
            FailureKind.CONNECT,
            "the server closed the connection during the search below cn=a",
            id="the end, after half of the answers",
        ),
    ],
)
def test_a_connection_that_breaks_fails_the_request_that_waits(
    meet: Meeting, octets: bytes, kind: FailureKind, detail: str
) -> None:
    peer = meet("ab")
    peer.says(octets)
    peer.closes()

    found, said = peer.failure(search("a"))

    assert (found, said) == (kind, detail)


def test_no_more_is_kept_than_a_session_may_receive(meet: Meeting) -> None:
    peer = meet("ab")
    peer.says(message(2, entry(padding=100)) * 1000)

    peer.failure(search("a"))

    sent = peer.layer.request(search("b"))
    assert sum(len(each.payload) for each in sent.kept) <= BUDGET_BYTES


SEEN = {True: codec.ENTRY, False: codec.REFERENCE}
REFERENCE = b"\x73\x0d\x04\x0bldap://x/dc"
Answers = list[list[bool]]  # of each search: entries and references, in their order


@given(
    st.lists(st.lists(st.booleans(), max_size=4), min_size=1, max_size=6),
    st.randoms(use_true_random=False),
    st.data(),
)
def test_any_order_of_responses_gives_each_request_its_own(
    answers: Answers, chance: random.Random, data: st.DataObject
) -> None:
    names = "abcdef"[: len(answers)]
    octets = b"".join(interleaved(answers, chance))
    cuts = data.draw(st.sets(st.integers(1, len(octets) - 1), max_size=20))
    order = data.draw(st.permutations(names))
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)  # it keeps the pieces
    with ours, theirs:
        peer = Peer(ours, theirs, names)
        for start, stop in pairwise((0, *sorted(cuts), len(octets))):
            peer.says(octets[start:stop])
        peer.closes()
        for name in order[: data.draw(st.integers(1, len(names)))]:
            wanted = [SEEN[each] for each in answers[names.index(name)]]
            assert peer.asked(search(name)) == [*wanted, codec.DONE]
        assert peer.received() == [f"s{name}" for name in names]


def interleaved(answers: Sequence[Sequence[bool]], chance: random.Random) -> Iterator[bytes]:
    """Yield the responses in an order that keeps that of each search."""
    left = {
        number: [*(entry() if each else REFERENCE for each in parts), DONE]
        for number, parts in enumerate(answers, 1)
    }
    while left:
        number = chance.choice([*left])
        yield message(number, left[number].pop(0))
        left = {each: parts for each, parts in left.items() if parts}
