"""The user at the other end of a Unix socket has a name, or a number, and in time."""

from __future__ import annotations

import os
import pwd
import socket
import threading
import time
from contextlib import closing

import pytest

from ldaphealth.control.peer_user import PeerUsers


def user_of(users: PeerUsers) -> str:
    """Return the user at the other end of a pair of sockets: the one who runs the test."""
    one, other = socket.socketpair()
    with one, other, closing(users):
        return users.user(one)


def test_a_user_has_the_name_of_the_password_database() -> None:
    assert user_of(PeerUsers()) == pwd.getpwuid(os.getuid()).pw_name


def test_a_name_that_is_not_text_becomes_text() -> None:
    name = user_of(PeerUsers(lambda _: "jos\udce9"))

    assert name.startswith("jos")
    assert name.encode()


@pytest.mark.parametrize("error", [KeyError("no such user"), OSError("no name service")])
def test_a_user_without_a_name_is_a_number(error: Exception) -> None:
    def unnamed(_: int) -> str:
        raise error

    assert user_of(PeerUsers(unnamed)) == f"uid {os.getuid()}"


def test_a_name_service_that_hangs_delays_a_request_by_its_deadline_only() -> None:
    release = threading.Event()

    def hanging(uid: int) -> str:
        release.wait(10.0)
        return str(uid)

    began = time.monotonic()
    users = PeerUsers(hanging, timeout_seconds=0.05)
    one, other = socket.socketpair()
    with one, other, closing(users):
        names = {users.user(one) for _ in range(3)}
    release.set()

    assert names == {f"uid {os.getuid()}"}
    assert time.monotonic() - began < 5.0
