"""A transport waits for room to send as it waits for answers: until its deadline, and no longer."""

from __future__ import annotations

import errno
import os
import socket
import threading
from collections.abc import Iterator

import pytest

from ldaphealth.ldap.deadline import Deadline, SessionError
from ldaphealth.ldap.transport import Transport
from ldaphealth.model import FailureKind

LARGE = b"x" * (8 << 20)  # more than both ends of a socket hold


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Return the two ends of a connection; the first one never blocks."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        yield ours, theirs


def test_a_message_that_finds_no_room_is_sent_as_the_peer_reads(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = ends
    received = bytearray()

    def read() -> None:
        while len(received) < len(LARGE):
            received.extend(theirs.recv(1 << 16))

    reader = threading.Thread(target=read)
    reader.start()
    Transport(ours, Deadline.after(30.0)).send(LARGE, "a large request")
    reader.join(30.0)

    assert received == LARGE


def test_a_peer_that_reads_nothing_is_a_timeout(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, _ = ends
    transport = Transport(ours, Deadline.after(0.2))

    with pytest.raises(SessionError) as caught:
        transport.send(LARGE, "a large request")

    assert caught.value.failure.kind is FailureKind.TIMEOUT
    assert caught.value.failure.detail == "no answer within 0.2 s to a large request"


class Failing(socket.socket):
    """A socket from which nothing can be read."""

    number = 0

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:  # noqa: ARG002
        """Raise the error."""
        raise OSError(self.number, os.strerror(self.number))


@pytest.mark.parametrize(
    ("number", "is_local"),
    [
        (errno.ENOBUFS, True),
        (errno.ENOMEM, True),
        (errno.ENOSPC, True),
        (errno.ECONNRESET, False),
        (errno.EPIPE, False),
        (errno.EHOSTUNREACH, False),
    ],
)
def test_what_this_host_has_no_more_of_is_not_held_against_the_server(
    ends: tuple[socket.socket, socket.socket], number: int, is_local: bool
) -> None:
    ours, theirs = ends
    theirs.send(b"an answer")
    with Failing(fileno=ours.detach()) as failing:
        failing.setblocking(False)
        failing.number = number
        with pytest.raises(SessionError) as caught:
            Transport(failing, Deadline.after(30.0)).receive("the bind")

    failure = caught.value.failure
    assert (failure.kind, failure.is_local) == (FailureKind.CONNECT, is_local)
    assert failure.detail == f"the connection broke during the bind: {os.strerror(number)}"


def test_nothing_is_sent_after_the_deadline(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    theirs.setblocking(False)
    transport = Transport(ours, Deadline(0.0, 1.0, lambda: 1.0))

    with pytest.raises(SessionError):
        transport.send(b"x", "a request")

    with pytest.raises(BlockingIOError):
        theirs.recv(1)
