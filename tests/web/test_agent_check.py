"""HAProxy sends the name of a server, and receives a fresh verdict or nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.web.listening import Listening, cluster, verdict


@pytest.fixture
def web() -> Iterator[Listening]:
    with Listening((cluster("c", "a", "b", "z"), cluster("d", "x", weight=50))) as listening:
        yield listening


def test_each_server_is_told_by_its_name(web: Listening) -> None:
    web.publish(
        verdict("c/a"), verdict("c/b", "bind.timeout"), verdict("c/z", "x.y", draining=True)
    )
    web.publish(verdict("d/x", weight=25))

    assert web.agent_check(b"c/a\n") == b"up 100%\n"
    assert web.agent_check(b"c/b\r\n") == b"down #bind.timeout\n"
    assert web.agent_check(b" c/z \n") == b"up 0%\n"
    assert web.agent_check(b"d/x\n") == b"up 50%\n"


def test_what_is_not_known_or_stale_is_not_told(web: Listening) -> None:
    assert web.agent_check(b"c/a\n") == b""
    web.publish(verdict("c/a"), holds_seconds=10)
    assert web.agent_check(b"c/a\n") == b"up 100%\n"
    web.now += 10
    assert web.agent_check(b"c/a\n") == b""


@pytest.mark.parametrize(
    "question",
    [
        b"\n",
        b"c\n",
        b"c/\n",
        b"/a\n",
        b"c/a/b\n",
        b"\xff\n",
        b"c/q\n",
        b"x" * 300,
        b"x" * 300 + b"\n",
    ],
)
def test_a_name_that_means_nothing_is_not_answered(web: Listening, question: bytes) -> None:
    web.publish(verdict("c/a"))

    assert web.agent_check(question) == b""


def test_a_wrong_name_is_logged_once_with_what_was_meant(
    web: Listening, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(100):
        web.agent_check(b"c/aa\n")
        web.agent_check(b"c/a%d\n" % number)

    errors = [each.error for each in caplog.records]  # type: ignore[attr-defined]
    assert errors[0] == "no server 'c/aa'; did you mean a?"
    assert len(errors) == len(set(errors)) == 32
