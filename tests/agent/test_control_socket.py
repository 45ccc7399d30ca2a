"""The control socket comes back when it, or its directory, was removed."""

from __future__ import annotations

import logging
import shutil
import socket
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from demo import wait
from ldaphealth.control.client import AgentError, send_request
from ldaphealth.control.control_socket import ControlSocket
from ldaphealth.control.requests import ControlResponse, StatusRequest

BACK = "the control socket was removed; it is back"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "agent.sock"


@pytest.fixture
def control(path: Path) -> Iterator[ControlSocket]:
    def prepare() -> None:
        path.parent.mkdir(exist_ok=True)

    prepare()
    made = ControlSocket(path, "", lambda _: ControlResponse("fine"), prepare)
    yield made
    made.close()
    assert not path.exists()


def answers(path: Path) -> bool:
    try:
        return bool(send_request(path, StatusRequest()) == "fine")
    except AgentError:
        return False


@pytest.mark.usefixtures("control")
@pytest.mark.parametrize("how", ["removed", "moved", "directory removed", "replaced", "a file"])
def test_it_is_back_soon_and_it_is_logged(
    path: Path, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    assert answers(path)
    if how == "moved":
        path.parent.rename(path.parent.with_name("moved"))
    elif how == "directory removed":
        shutil.rmtree(path.parent)
    else:
        path.unlink()
    if how == "replaced":
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(path))
    if how == "a file":
        path.touch()

    assert wait.comes_true(lambda: answers(path), 5.0)

    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    wait.until(lambda: BACK in caplog.messages, 5.0, "it is not logged")
    assert caplog.messages == [BACK]


def test_a_socket_that_cannot_come_back_is_logged_once_and_tried_again(
    path: Path, control: ControlSocket, caplog: pytest.LogCaptureFixture
) -> None:
    path.unlink()
    path.mkdir()
    wait.until(lambda: caplog.messages, 5.0, "it is not logged")
    for _ in range(3):
        control._listen_again()
    assert len(caplog.messages) == 1
    path.rmdir()

    assert wait.comes_true(lambda: answers(path), 5.0)
    wait.until(lambda: BACK in caplog.messages, 5.0, "it is not logged")


@pytest.mark.usefixtures("control")
def test_what_came_in_its_place_is_not_removed_at_the_end(tmp_path: Path) -> None:
    other = tmp_path / "other.sock"
    with closing(ControlSocket(other, "", lambda _: ControlResponse("fine"))) as second:
        second._closed.set()  # it does not notice
        second._thread.join(5.0)
        other.unlink()
        other.touch()

    assert other.is_file()


def test_no_thread_is_left(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.parent.mkdir()
    with caplog.at_level(logging.DEBUG):
        made = ControlSocket(path, "", lambda _: ControlResponse("fine"))
        made.close()

    assert not made._thread.is_alive()
    assert not path.exists()
    assert not caplog.messages
