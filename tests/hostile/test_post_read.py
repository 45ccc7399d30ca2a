"""The post-read control of a strange server: believed where it is in form, refused where not."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import pytest

from ldaphealth.ldap.deadline import Deadline, SessionError
from ldaphealth.ldap.session import Session, open_session
from ldaphealth.model import FailureKind, Server
from tests.hostile import servers
from tests.hostile.servers import answering, entry, message, result

OID = b"1.3.6.1.1.13.2"  # RFC 4527 3.2
OTHER_OID = b"1.3.6.1.1.13.1"
BOUND, DONE = message(1, result(1, 0)), message(3, result(5, 0))


def sequence(tag: int, body: bytes) -> bytes:
    return bytes([tag]) + b"\x84" + len(body).to_bytes(4, "big") + body


def control(oid: bytes, value: bytes | None) -> bytes:
    """Return a Control (RFC 4511 4.1.11)."""
    body = sequence(0x04, oid) + (b"" if value is None else sequence(0x04, value))
    return sequence(0x30, body)


def modified(*controls: bytes) -> bytes:
    """Return the answer to a modify with these controls."""
    return message(2, result(7, 0) + sequence(0xA0, b"".join(controls)))


@contextlib.contextmanager
def session_with(*answers: bytes) -> Iterator[Session]:
    """Give a session with a server that answers so after the bind."""
    with servers.listening(answering(BOUND, *answers)) as port:
        session = open_session(
            Server(cluster="c", name="s", uri=f"ldap://127.0.0.1:{port}"), Deadline.after(2.0)
        )
        try:
            yield session
        finally:
            session.close()


def change(session: Session) -> Mapping[str, tuple[str, ...]]:
    return session.replace_and_read("cn=x", "description", "y", ["cn"])


def test_an_entry_in_the_control_is_taken() -> None:
    with session_with(modified(control(OID, entry(padding=3)))) as session:
        assert change(session) == {"cn": ("xxx",)}


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(message(2, result(7, 0)), id="no controls"),
        pytest.param(modified(), id="an empty list"),
        pytest.param(modified(control(OTHER_OID, entry(padding=3))), id="another control"),
        pytest.param(message(2, result(7, 0) + b"\xa5\x01x"), id="a field that no RFC names"),
    ],
)
def test_without_the_control_the_entry_is_read(answer: bytes) -> None:
    with session_with(answer, message(3, entry(padding=5)) + DONE) as session:
        assert change(session) == {"cn": ("xxxxx",)}


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(modified(control(OID, None)), id="no value"),
        pytest.param(modified(control(OID, b"")), id="an empty value"),
        pytest.param(modified(control(OID, b"garbage")), id="garbage"),
        pytest.param(modified(control(OID, entry() * 2)), id="two entries"),
        pytest.param(modified(control(OID, b"\x30\x80" * 10_000)), id="nested ten thousand deep"),
        pytest.param(modified(control(OID, b"\x30\x00")), id="no entry"),
        pytest.param(modified(b"\x30\x00"), id="a control without a name"),
        pytest.param(modified(b"\x04\x01x"), id="no control"),
    ],
)
def test_what_is_not_in_form_ends_the_session(answer: bytes) -> None:
    with session_with(answer) as session:
        with pytest.raises(SessionError) as caught:
            change(session)
        assert not session.alive

    assert caught.value.failure.kind is FailureKind.PROTOCOL
    assert caught.value.failure.detail.isprintable()
