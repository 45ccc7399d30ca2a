"""The service manager receives each notification in one datagram. Its absence is no error."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from time import monotonic

import pytest

from ldaphealth.agent.service_manager import ALIVE, READY, RELOADING, STOPPING, notify


@pytest.fixture
def manager() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.settimeout(5)
        yield made


@pytest.mark.parametrize("word", [READY, RELOADING, STOPPING, ALIVE])
def test_a_word_is_one_datagram(tmp_path: Path, manager: socket.socket, word: str) -> None:
    manager.bind(str(tmp_path / "notify"))

    notify(word, environment={"NOTIFY_SOCKET": str(tmp_path / "notify")})

    assert manager.recv(4096) == word.encode()


def test_words_are_lines_of_one_datagram(tmp_path: Path, manager: socket.socket) -> None:
    manager.bind(str(tmp_path / "notify"))

    notify(READY, "STATUS=4 von 4 über", environment={"NOTIFY_SOCKET": str(tmp_path / "notify")})

    assert manager.recv(4096).decode() == "READY=1\nSTATUS=4 von 4 über"


def test_an_abstract_socket_is_found(tmp_path: Path, manager: socket.socket) -> None:
    manager.bind(f"\0{tmp_path}")

    notify(READY, environment={"NOTIFY_SOCKET": f"@{tmp_path}"})

    assert manager.recv(4096) == b"READY=1"


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": ""}])
def test_without_a_service_manager_nothing_happens(environment: dict[str, str]) -> None:
    notify(READY, environment=environment)


@pytest.mark.parametrize("name", ["gone", "file", "x" * 200, "@nobody", ""])
def test_a_service_manager_that_is_gone_is_no_trouble(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("no socket")
    address = f"@{tmp_path}/{name}" if name.startswith("@") else str(tmp_path / name)

    notify(READY, environment={"NOTIFY_SOCKET": address})


def test_a_service_manager_that_does_not_listen_holds_us_up_for_a_second_only(
    tmp_path: Path, manager: socket.socket
) -> None:
    manager.bind(str(tmp_path / "notify"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as flood:
        flood.setblocking(False)
        flood.connect(str(tmp_path / "notify"))
        with suppress(BlockingIOError):
            while True:
                flood.send(b"x")
        began = monotonic()

        notify(ALIVE, environment={"NOTIFY_SOCKET": str(tmp_path / "notify")})

    assert monotonic() - began < 3
