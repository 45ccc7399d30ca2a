"""What was counted before a bound counts, the session goes on, and no server makes it go on."""

from __future__ import annotations

import socket
import time

import pytest

from ldaphealth.ldap.deadline import Deadline, SessionError
from ldaphealth.ldap.session import Count, Session, open_session
from ldaphealth.ldap.transport import BUDGET_BYTES
from ldaphealth.model import FailureKind, Server
from tests.hostile import servers
from tests.hostile.servers import entry, listening, message, result

TAG_PLACE = 6  # of the operation in a short request: SEQUENCE, length, message ID of two octets
BIND, SEARCH, COMPARE = 0x60, 0x63, 0x6E
TRUE = 6


class Answering:
    """A server that finds as many entries of that size in every search, and counts its sessions."""

    def __init__(self, entries: int, size_bytes: int = 0) -> None:
        self.entries = entries
        self.size_bytes = size_bytes
        self.binds = 0

    def __call__(self, peer: socket.socket) -> None:
        """Answer until the client goes."""
        while request := peer.recv(4096):
            message_id = int.from_bytes(request[4:6], "big")
            if request[TAG_PLACE] == BIND:
                self.binds += 1
                peer.sendall(message(message_id, result(1, 0)))
            elif request[TAG_PLACE] == COMPARE:
                peer.sendall(message(message_id, result(15, TRUE)))
            else:
                found = message(message_id, entry(padding=self.size_bytes)) * self.entries
                peer.sendall(found + message(message_id, result(5, 0)))


def session_at(port: int) -> Session:
    server = Server(cluster="c", name="s", uri=f"ldap://127.0.0.1:{port}")
    return open_session(server, Deadline.after(5.0))


def count(session: Session, size_limit: int) -> Count:
    return session.count("dc=x", "sub", "(&)", size_limit)


def test_entries_beyond_the_byte_bound_are_counted_and_the_session_begins_anew() -> None:
    server = Answering(20, 8000)
    with listening(server) as port:
        session = session_at(port)
        counted = count(session, 20)
        is_true = session.compare("dc=x", "dc", "x")
        session.close()

    assert counted.limited
    assert 8 < counted.entries < 20
    assert (is_true, server.binds) == (True, 2)


def test_the_bytes_of_long_dns_are_not_those_of_the_session() -> None:
    server = Answering(150, 900)
    with listening(server) as port:
        session = session_at(port)
        counted = [count(session, 150) for _ in range(3)]
        server.entries, server.size_bytes = 1, BUDGET_BYTES - 1000
        found = session.search("dc=x", "sub", "(&)", ["1.1"])
        session.close()

    assert counted == [Count(150, limited=False)] * 3
    assert (len(found), server.binds) == (1, 1)


def test_a_server_that_ignores_the_size_limit_is_counted_in_full() -> None:
    with listening(Answering(30)) as port:
        session = session_at(port)
        counted = count(session, 10)
        session.close()

    assert counted == Count(30, limited=False)


@pytest.mark.parametrize("size_limit", [1, 200, 1000])
def test_entries_without_end_are_a_failure(size_limit: int) -> None:
    with listening(servers.endless) as port:
        session = session_at(port)
        began = time.monotonic()
        with pytest.raises(SessionError) as caught:
            count(session, size_limit)
        took_seconds = time.monotonic() - began

    assert caught.value.failure.kind is FailureKind.TOO_LARGE
    assert took_seconds < 5
    assert not session.alive


def test_one_entry_that_is_too_large_is_a_failure() -> None:
    with listening(Answering(1, BUDGET_BYTES * 2)) as port:
        session = session_at(port)
        with pytest.raises(SessionError) as caught:
            count(session, 10)

    assert caught.value.failure.kind is FailureKind.TOO_LARGE
