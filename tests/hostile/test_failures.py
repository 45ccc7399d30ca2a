"""Every way in which a session can fail has its kind, and says so in one harmless line."""

from __future__ import annotations

from pathlib import Path

import pytest

from ldaphealth.ldap.deadline import Deadline, SessionError
from ldaphealth.ldap.session import Session
from ldaphealth.model import FailureKind, Server, Tls
from tests.hostile import servers
from tests.hostile.servers import answering, message, result

NOTICE = b"\x30\x24\x02\x01\x00\x78\x1f\x0a\x01\x34\x04\x00\x04\x00\x8a\x161.3.6.1.4.1.1466.20036"
ODD_CODES = {
    "a sequence": b"\x30\x03\x0a\x01\x31",
    "a set": b"\x31\x00",
    "octets": b"\x04\x01\x00",
    "a boolean": b"\x01\x01\xff",
    "an empty number": b"\x0a\x00",
    "a long number": b"\x0a\x05\x01\x00\x00\x00\x00",
}


def connect_and_bind(session: Session) -> None:
    session.connect()
    session.bind()


def connect_bind_and_read(session: Session) -> None:
    connect_and_bind(session)
    session.read("", ("supportedLDAPVersion",))


def failure_of(
    uri: str, tls: Tls | None = None, server_name: str = ""
) -> tuple[FailureKind, str, str]:
    session = Session(
        Server(cluster="c", name="s", uri=uri, server_name=server_name, tls=tls or Tls()),
        Deadline.after(2.0),
    )
    with pytest.raises(SessionError) as caught:
        connect_and_bind(session)
    assert not session.alive
    failure = caught.value.failure
    assert failure.detail.isprintable()
    return failure.kind, failure.result_code, failure.detail


@pytest.mark.parametrize(
    ("behave", "kind", "result_code"),
    [
        pytest.param(servers.closing, FailureKind.CONNECT, "", id="closes at accept"),
        pytest.param(servers.resetting, FailureKind.CONNECT, "", id="resets"),
        pytest.param(
            answering(NOTICE), FailureKind.CONNECT, "unavailable", id="notice of disconnection"
        ),
        pytest.param(
            answering(message(7, result(1, 0))), FailureKind.PROTOCOL, "", id="another's answer"
        ),
        pytest.param(
            answering(message(1, result(5, 0))), FailureKind.PROTOCOL, "", id="another operation"
        ),
        pytest.param(
            answering(message(1, b"\x61\x00")), FailureKind.PROTOCOL, "", id="fields missing"
        ),
        pytest.param(
            answering(message(1, result(1, 49))),
            FailureKind.BIND,
            "invalidCredentials",
            id="refused",
        ),
        pytest.param(
            answering(message(1, result(1, 99))),
            FailureKind.BIND,
            "resultCode99",
            id="unknown code",
        ),
        pytest.param(
            answering(message(1, result(1, 10))),
            FailureKind.BIND,
            "referral",
            id="referral not followed",
        ),
        pytest.param(
            answering(message(1, result(1, 10, more=servers.REFERRAL))),
            FailureKind.BIND,
            "referral",
            id="referral with its URLs",
        ),
        pytest.param(
            answering(message(1, result(1, 49, more=servers.field(20, b"")))),
            FailureKind.BIND,
            "invalidCredentials",
            id="a field that no RFC names",
        ),
        *(
            pytest.param(
                answering(message(1, servers.odd_result(1, code))),
                FailureKind.PROTOCOL,
                "",
                id=f"the result code is {what}",
            )
            for what, code in ODD_CODES.items()
        ),
    ],
)
def test_a_failed_bind_says_why(
    behave: servers.Behaviour, kind: FailureKind, result_code: str
) -> None:
    with servers.listening(behave) as port:
        assert failure_of(f"ldap://127.0.0.1:{port}")[:2] == (kind, result_code)


def test_what_the_server_says_cannot_move_the_cursor() -> None:
    with servers.listening(answering(message(1, result(1, 49, b"\x1b[2J\nno\xff")))) as port:
        detail = failure_of(f"ldap://127.0.0.1:{port}")[2]

    assert r"\x1b[2J\nno" in detail


def test_a_refused_start_tls_sends_no_password() -> None:
    with servers.listening(answering(message(1, result(24, 2)))) as port:
        found = failure_of(f"ldap://127.0.0.1:{port}", Tls(start_tls=True))

    assert found[:2] == (FailureKind.RESULT, "protocolError")


def test_a_referral_as_the_answer_to_start_tls_is_a_referral() -> None:
    with servers.listening(answering(message(1, result(24, 10, more=servers.REFERRAL)))) as port:
        found = failure_of(f"ldap://127.0.0.1:{port}", Tls(start_tls=True))

    assert found[:2] == (FailureKind.RESULT, "referral")


def test_a_server_that_does_not_know_who_am_i_has_told_no_identity() -> None:
    bound, unknown = message(1, result(1, 0)), message(2, result(24, 2))
    with servers.listening(answering(bound, unknown)) as port:
        server = Server(cluster="c", name="s", uri=f"ldap://127.0.0.1:{port}")
        session = Session(server, Deadline.after(2.0))
        try:
            connect_and_bind(session)

            assert session.who_am_i() is None
            assert session.alive
        finally:
            session.close()


def test_a_notice_of_disconnection_without_a_number_is_one() -> None:
    notice = message(0, servers.odd_result(24, b"\x30\x00"))
    with servers.listening(answering(notice)) as port:
        found = failure_of(f"ldap://127.0.0.1:{port}")

    assert found[:2] == (FailureKind.CONNECT, "")


def test_data_in_the_clear_behind_start_tls_is_refused(tmp_path: Path) -> None:
    injected = message(1, result(24, 0)) + message(2, result(1, 0))
    with servers.listening(answering(injected)) as port:
        tls = Tls(start_tls=True, ca_file=servers.Authority(tmp_path).ca_file)

        assert failure_of(f"ldap://127.0.0.1:{port}", tls)[0] is FailureKind.PROTOCOL


@pytest.mark.parametrize(
    ("names", "server_name", "fails"),
    [
        pytest.param(["127.0.0.1"], "", False, id="the address is in the certificate"),
        pytest.param(["ldap1.test"], "ldap1.test", False, id="the name that we set is in it"),
        pytest.param(["ldap1.test"], "", True, id="an address, but only a name in it"),
        pytest.param(["ldap1.test"], "ldap2.test", True, id="the name of another server"),
    ],
)
def test_the_certificate_must_carry_the_name(
    names: list[str], server_name: str, fails: bool, tmp_path: Path
) -> None:
    authority = servers.Authority(tmp_path)
    with servers.listening(answering(message(1, result(1, 49))), authority.context(*names)) as port:
        tls = Tls(ca_file=authority.ca_file)

        kind = failure_of(f"ldaps://127.0.0.1:{port}", tls, server_name)[0]

    assert kind is (FailureKind.CERTIFICATE if fails else FailureKind.BIND)


def test_an_unknown_authority_is_not_trusted(tmp_path: Path) -> None:
    context = servers.Authority(tmp_path).context("127.0.0.1")
    with servers.listening(servers.silent, context) as port:
        assert failure_of(f"ldaps://127.0.0.1:{port}")[0] is FailureKind.CERTIFICATE


def test_a_host_that_does_not_resolve_is_our_trouble() -> None:
    session = Session(
        Server(cluster="c", name="s", uri="ldap://nosuch.invalid"), Deadline.after(2.0)
    )
    with pytest.raises(SessionError) as caught:
        session.connect()

    assert (caught.value.failure.kind, caught.value.failure.is_local) == (FailureKind.RESOLVE, True)


@pytest.mark.parametrize(
    ("answers", "answered"),
    [
        pytest.param((), False, id="no answer at all"),
        pytest.param((message(1, result(1, 0)),), True, id="silent after the bind"),
    ],
)
def test_a_timeout_knows_whether_there_was_an_answer(
    answers: tuple[bytes, ...], answered: bool
) -> None:
    with servers.listening(answering(*answers)) as port:
        session = Session(
            Server(cluster="c", name="s", uri=f"ldap://127.0.0.1:{port}"), Deadline.after(0.5)
        )
        with pytest.raises(SessionError) as caught:
            connect_bind_and_read(session)

    assert (caught.value.failure.kind, caught.value.failure.answered) == (
        FailureKind.TIMEOUT,
        answered,
    )
