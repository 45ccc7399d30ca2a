"""What 389 Directory Server and Active Directory say of an account, by recorded answers.

Other servers dislike the control that each bind has, or answer with one that is none.
"""

from __future__ import annotations

import socket
from time import sleep

import pytest

from ldaphealth.checks import BUILT_IN
from ldaphealth.judging.judge import judge
from ldaphealth.judging.recent_observations import RecentObservations
from ldaphealth.ldap import ber
from ldaphealth.ldap.accounts import Accounts
from ldaphealth.ldap.deadline import Deadline, SessionError
from ldaphealth.ldap.password_policy import EXPIRED_OID, EXPIRING_OID, POLICY_OID
from ldaphealth.ldap.session import Session
from ldaphealth.model import BindMethod, Credentials, FailureKind, Finding, Secret, Server, Trust
from ldaphealth.rounds.probe import probe_server
from ldaphealth.settings import Cluster, ConfiguredCheck
from tests.hostile.servers import Behaviour, answering, listening, message, result, silent

DN, FILE = "uid=probe,ou=services,dc=example,dc=com", "/etc/ldaphealth/probe"
CREDENTIALS = Credentials(BindMethod.SIMPLE, DN, Secret("x"), password_file=FILE)
CHECKS = tuple(
    ConfiguredCheck(each, each.params(), each.effect)
    for each in (BUILT_IN["connect"], BUILT_IN["bind"])
)
BIND = 1
SUCCESS, PROTOCOL_ERROR, UNAVAILABLE_CRITICAL_EXTENSION = 0, 2, 12
CONSTRAINT_VIOLATION, INVALID_CREDENTIALS, UNWILLING = 19, 49, 53
LOCKED, MUST_CHANGE = b"\x30\x03\x81\x01\x01", b"\x30\x03\x81\x01\x02"


def controls(**values: bytes) -> bytes:
    """Return the controls of a response."""
    oids = {"policy": POLICY_OID, "expired": EXPIRED_OID, "expiring": EXPIRING_OID}
    each = (
        ber.element(0x30, ber.octet_string(oids[name]) + ber.element(0x04, value))
        for name, value in values.items()
    )
    return ber.element(0xA0, b"".join(each))


def bind_response(code: int, text: str = "", more: bytes = b"") -> bytes:
    return message(1, result(BIND, code, text.encode()) + more)


def active_directory(sub_code: str) -> bytes:
    text = (
        f"80090308: LdapErr: DSID-0C090446, comment: AcceptSecurityContext error, data {sub_code}"
    )
    return bind_response(INVALID_CREDENTIALS, f"{text}, v4563")


def findings(behave: Behaviour) -> list[Finding]:
    """Return what one probe shows of the account, but for its time."""
    with listening(behave) as port:
        server = Server(
            cluster="c", name="s", uri=f"ldap://127.0.0.1:{port}", credentials=CREDENTIALS
        )
        site = Cluster(name="c", servers=(server,), checks=CHECKS, min_in_service=0)
        recent = RecentObservations()
        for seen in probe_server(server, CHECKS, Deadline.after(2.0)):
            recent.add(seen)
    found = judge(site, recent, one_shot=True)
    return [each for each in found if each.check == "bind" and each.code not in ("ok", "slow")]


@pytest.mark.parametrize(
    ("answer", "reason", "words"),
    [
        # 389 Directory Server
        (
            bind_response(
                INVALID_CREDENTIALS,
                "password expired!",
                controls(policy=b"\x30\x03\x81\x01\x00", expired=b"0"),
            ),
            "bind.invalidCredentials",
            "has expired",
        ),
        (
            bind_response(CONSTRAINT_VIOLATION, "Exceed password retry limit. Please try later."),
            "bind.invalidCredentials",
            "accountUnlockTime",
        ),
        (
            bind_response(CONSTRAINT_VIOLATION, "Exceed", controls(policy=LOCKED)),
            "bind.invalidCredentials",
            "is locked",
        ),
        (
            bind_response(UNWILLING, "Account inactivated. Contact system administrator."),
            "bind.invalidCredentials",
            "dsidm account unlock",
        ),
        (
            bind_response(SUCCESS, more=controls(expired=b"0", policy=MUST_CHANGE)),
            "bind.must_change",
            "must be changed",
        ),
        (
            bind_response(SUCCESS, more=controls(expiring=b"864000")),
            "bind.password_expires",
            "expires in 10 d",
        ),
        (
            bind_response(SUCCESS, more=controls(policy=b"\x30\x05\xa0\x03\x81\x01\x02")),
            "bind.grace_logins",
            "2 grace logins left",
        ),
        (bind_response(SUCCESS, more=controls(expired=b"0")), "bind.grace_logins", "accepts it"),
        # Active Directory
        (active_directory("52e"), "bind.invalidCredentials", "is wrong"),
        (active_directory("525"), "bind.invalidCredentials", "does not exist"),
        (active_directory("532"), "bind.invalidCredentials", "has expired"),
        (active_directory("533"), "bind.invalidCredentials", "Enable-ADAccount"),
        (active_directory("701"), "bind.invalidCredentials", "accountExpires"),
        (active_directory("773"), "bind.invalidCredentials", "must be changed"),
        (active_directory("775"), "bind.invalidCredentials", "Unlock-ADAccount"),
    ],
)
def test_the_sentence_names_the_cause_the_account_and_the_file(
    answer: bytes, reason: str, words: str
) -> None:
    (found,) = findings(answering(answer))

    assert found.reason == reason
    assert found.trust is (
        Trust.EXPECTATION if reason == "bind.invalidCredentials" else Trust.INFORMATIVE
    )
    for each in (words, DN, FILE):
        assert each in found.summary


@pytest.mark.parametrize("code", [PROTOCOL_ERROR, UNAVAILABLE_CRITICAL_EXTENSION])
def test_a_server_that_refuses_the_control_gets_the_bind_without_it(code: int) -> None:
    requests: list[bytes] = []

    def behave(peer: socket.socket) -> None:
        requests.append(peer.recv(4096))
        peer.sendall(message(1, result(BIND, code, b"unknown control")))
        requests.append(peer.recv(4096))
        peer.sendall(message(2, result(BIND, SUCCESS)))
        silent(peer)

    assert findings(behave) == []
    assert [POLICY_OID.encode() in each for each in requests] == [True, False]


@pytest.mark.parametrize(
    "value", [b"", b"\x30", b"\x30\x80", b"\x30\x05\xa0\x03\x80\x01\xff", b"\xff" * 100]
)
def test_a_malformed_control_costs_no_server(value: bytes) -> None:
    assert findings(answering(bind_response(SUCCESS, more=controls(policy=value)))) == []


def test_a_server_that_says_nothing_of_the_root_dse_is_found_while_no_password_is_tried() -> None:
    accounts = Accounts()
    refusing = answering(bind_response(INVALID_CREDENTIALS))
    kinds: list[FailureKind] = []
    for behave in (refusing, refusing, silent):
        with listening(behave) as port:
            uri = f"ldap://127.0.0.1:{port}"
            server = Server(cluster="c", name=str(port), uri=uri, credentials=CREDENTIALS)
            seen = probe_server(server, CHECKS, Deadline.after(0.5), accounts)
            assert seen[-1].failure is not None
            kinds.append(seen[-1].failure.kind)

    assert kinds == [FailureKind.BIND, FailureKind.BIND, FailureKind.TIMEOUT]


def test_a_session_whose_deadline_passes_before_its_bind_is_of_no_further_use() -> None:
    with listening(silent) as port:
        uri = f"ldap://127.0.0.1:{port}"
        server = Server(cluster="c", name="s", uri=uri, credentials=CREDENTIALS)
        session = Session(server, Deadline.after(0.2))
        session.connect()
        sleep(0.3)
        with pytest.raises(SessionError) as caught:
            session.bind()

    assert caught.value.failure.kind is FailureKind.TIMEOUT
    assert not session.alive
