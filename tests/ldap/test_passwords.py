"""A password goes to the server that asks for it, whole, and nowhere else (RFC 4513 5.1)."""

from __future__ import annotations

import io
import logging
import socket
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from demo.client import Client
from demo.client import Credentials as ToolCredentials
from demo.node import Node
from demo.tree import CHECK_DN, CHECK_PASSWORD, SERVICES
from ldaphealth.checks import BUILT_IN
from ldaphealth.files.secret_file import read_secret
from ldaphealth.ldap.deadline import Deadline, SessionError
from ldaphealth.model import (
    AnyObservation,
    BindMethod,
    Credentials,
    FailureKind,
    Server,
    Tls,
)
from ldaphealth.rounds.probe import probe_server
from ldaphealth.settings import ConfiguredCheck
from tests.hostile.servers import listening
from tests.ldap.opening import bound, refusal, session_with, simple

pytestmark = pytest.mark.slapd

ACCOUNT = f"cn=password,{SERVICES}"
SECRET = "correct horse"


@pytest.fixture
def account(node: Node) -> Iterator[Callable[[str], Credentials]]:
    """Return a function that gives an account a password, and returns the credentials."""
    node.root.add(
        ACCOUNT,
        "objectClass: applicationProcess\nobjectClass: simpleSecurityObject\n"
        "cn: password\nuserPassword: none yet",
    )

    def with_password(password: str) -> Credentials:
        node.root.modify(ACCOUNT, f"replace: userPassword\nuserPassword: {password}")
        return simple(ACCOUNT, password)

    yield with_password
    node.root.delete(ACCOUNT)


@pytest.mark.parametrize(
    "password",
    [
        pytest.param("Grüße", id="Latin"),
        pytest.param("пароль", id="Cyrillic"),
        pytest.param("סיסמה", id="right to left"),
        pytest.param("密码", id="Chinese"),
        pytest.param("🔑🔑", id="beyond the first plane"),
        pytest.param("a:b<c", id="signs of LDIF"),
        pytest.param("*()\\00", id="signs of filters"),
        pytest.param("x" * 1000, id="a thousand characters"),
        # SASLprep (RFC 4013) would send another password, or none; OpenLDAP's tools do not use it.
        pytest.param("u\u0308", id="decomposed"),
        pytest.param("m\u00b2 \u00bd \u00b4 \u2026", id="signs of a keyboard that NFKC replaces"),
        pytest.param("\ufb01sh", id="a ligature"),
        pytest.param("a\u00a0b\u00adc", id="a hard space and a soft hyphen"),
        pytest.param("\u05d0a", id="both directions"),
    ],
)
def test_a_password_arrives_whole(
    node: Node, account: Callable[[str], Credentials], password: str
) -> None:
    with bound(node.uri, account(password)) as session:
        assert session.alive


def test_what_only_looks_alike_is_another_password(
    node: Node, account: Callable[[str], Credentials]
) -> None:
    composed, decomposed = "\u00fc", "u\u0308"
    account(composed)

    failure = refusal(node.uri, simple(ACCOUNT, decomposed))
    assert failure.result_code == "invalidCredentials"


def test_a_password_that_ldappasswd_set_and_ldapwhoami_uses_is_accepted(
    node: Node, account: Callable[[str], Credentials], tmp_path: Path
) -> None:
    """One file for all three, as an operator has it."""
    account("another")
    file = tmp_path / "password"
    file.write_text("5 m\u00b2 \ufb01sh")
    file.chmod(0o600)
    node.root.set_password(ACCOUNT, file)
    assert Client(node.uri, ToolCredentials(ACCOUNT, file)).who_am_i() == f"dn:{ACCOUNT}"

    with bound(node.uri, Credentials(BindMethod.SIMPLE, ACCOUNT, read_secret(file))) as session:
        assert session.alive


# What must never be sent


@dataclass
class Listener:
    """A server that keeps all that it is sent, and answers nothing."""

    uri: str = ""
    received: bytearray = field(default_factory=bytearray)

    def receive(self, peer: socket.socket) -> None:
        """Take everything until the other side closes."""
        while chunk := peer.recv(4096):
            self.received += chunk


@pytest.fixture
def listener() -> Iterator[Listener]:
    """Return a server that hears all."""
    heard = Listener()
    with listening(heard.receive) as port:
        heard.uri = f"ldap://127.0.0.1:{port}"
        yield heard


UNSENDABLE = [
    pytest.param(simple(CHECK_DN, ""), id="a DN with an empty password"),
    pytest.param(simple(CHECK_DN, None), id="a DN without a password"),
    pytest.param(simple("", SECRET), id="a password without a DN"),
    pytest.param(simple("", ""), id="neither"),
    pytest.param(simple(CHECK_DN, f"{SECRET}\n"), id="a line end"),
    pytest.param(simple(CHECK_DN, f"{SECRET}\0"), id="a NUL"),
    pytest.param(simple(CHECK_DN, f"{SECRET}\udcff"), id="not UTF-8"),
]


@pytest.mark.parametrize("credentials", UNSENDABLE)
def test_what_would_be_an_unauthenticated_bind_or_none_at_all_is_never_sent(
    listener: Listener, credentials: Credentials
) -> None:
    """RFC 4513 5.1.2: a DN with an empty password succeeds as anonymous, and proves nothing."""
    session = session_with(listener.uri, credentials)
    session.connect()
    with pytest.raises(SessionError) as caught:
        session.bind()
    session.close()

    assert (caught.value.failure.kind, caught.value.failure.is_local) == (FailureKind.BUG, True)
    assert not listener.received


def test_a_failed_handshake_sends_no_password(node_without_tls: Node, listener: Listener) -> None:
    refusal(node_without_tls.uri, simple(CHECK_DN, SECRET), Tls(start_tls=True))
    session = session_with(listener.uri, simple(CHECK_DN, SECRET), Tls(start_tls=True))
    session.deadline = Deadline.after(0.2)
    with pytest.raises(SessionError):
        session.connect()
    session.close()

    assert listener.received
    assert SECRET.encode() not in listener.received


# What must never be shown


def everything_shown_of(error: BaseException) -> str:
    """Return all that a log, a traceback or a debugger shows of an error and of its causes."""
    shown = ["".join(traceback.format_exception(error))]
    link: BaseException | None = error
    while link is not None:
        shown += [repr(link), str(link), repr(vars(link)), repr(link.args)]
        link = link.__cause__ or link.__context__
    return "\n".join(shown)


@pytest.mark.parametrize(
    "credentials",
    [
        *UNSENDABLE,
        pytest.param(simple(CHECK_DN, SECRET), id="the wrong password"),
        pytest.param(simple("no dn", SECRET), id="no DN"),
        pytest.param(
            simple("cn=\ud800", SECRET),
            id="a DN that is no text",
        ),
    ],
)
def test_no_error_shows_the_password(node: Node, credentials: Credentials) -> None:
    session = session_with(node.uri, credentials)
    session.connect()
    with pytest.raises(Exception) as caught:  # noqa: PT011  whatever it is, it shows no password
        session.bind()
    session.close()

    assert SECRET not in everything_shown_of(caught.value)


def test_no_object_shows_the_password(node: Node) -> None:
    credentials = simple(CHECK_DN, SECRET)
    server = Server(cluster="c", name="s", uri=node.uri, credentials=credentials)
    session = session_with(node.uri, credentials)

    for each in (credentials.password, credentials, server, session, vars(session), [server]):
        assert SECRET not in f"{each!r} {each!s} {each}"


def test_no_observation_and_no_log_shows_the_password(node: Node) -> None:
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    logging.getLogger().addHandler(handler)
    try:
        seen = [
            observation
            for credentials in (simple(CHECK_DN, SECRET), simple("cn=\ud800", SECRET))
            for observation in _probe(node.uri, credentials)
        ]
    finally:
        logging.getLogger().removeHandler(handler)

    kinds = [each.failure and each.failure.kind for each in seen if each.check == "bind"]
    assert kinds == [FailureKind.BIND, FailureKind.BUG]
    assert SECRET not in f"{seen} {log.getvalue()}"


def test_the_password_is_in_no_cache_of_requests(node: Node) -> None:
    """Requests are encoded once per process, but not the one with the secret."""
    from ldaphealth.ldap import codec as module  # noqa: PLC0415

    with bound(node.uri, simple(CHECK_DN, CHECK_PASSWORD)):
        pass

    assert not hasattr(module.bind_request, "cache_info")


def _probe(uri: str, credentials: Credentials) -> list[AnyObservation]:
    server = Server(cluster="c", name="s", uri=uri, credentials=credentials)
    checks = [
        ConfiguredCheck(
            check=BUILT_IN[name], params=BUILT_IN[name].params(), effect=BUILT_IN[name].effect
        )
        for name in ("connect", "bind")
    ]
    return probe_server(server, checks, Deadline.after(5.0))
