"""Who a session is to a real server: nobody, a DN with a password, or SASL EXTERNAL (RFC 4513)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from demo.certificates import Authority
from demo.node import Node
from demo.tree import CHECK_DN, ROOT_DN, person
from ldaphealth.ldap.deadline import SessionError
from ldaphealth.model import BindMethod, Credentials, FailureKind, Secret, Tls
from tests.ldap.conftest import CERTIFICATE_DN, SOCKET_DN
from tests.ldap.opening import ANONYMOUS, CHECK, EXTERNAL, bound, refusal, session_with, simple

pytestmark = pytest.mark.slapd


def identities(node: Node) -> set[str]:
    """Return as whom clients are connected, by what slapd says in cn=Monitor; not ourselves."""
    connections = node.root.search(
        "cn=Connections,cn=Monitor", "(monitorConnectionNumber=*)", "monitorConnectionAuthzDN"
    )
    return {dn for each in connections for dn in each.get("monitorConnectionAuthzDN", ()) if dn} - {
        ROOT_DN
    }


@pytest.fixture
def with_certificate(trusting: Tls, client_certificate: tuple[str, str]) -> Tls:
    """Return settings that present a client's certificate."""
    certificate_file, key_file = client_certificate
    return Tls(ca_file=trusting.ca_file, certificate_file=certificate_file, key_file=key_file)


@contextlib.contextmanager
def demanding_certificates(node: Node) -> Iterator[None]:
    """Let slapd take only clients with a certificate (TLSVerifyClient in slapd.conf(5))."""
    change = "replace: olcTLSVerifyClient\nolcTLSVerifyClient: {}"
    node.root.modify("cn=config", change.format("demand"))
    try:
        yield
    finally:
        node.root.modify("cn=config", change.format("try"))


def test_a_simple_bind_becomes_its_dn(node: Node) -> None:
    with bound(node.uri, CHECK) as session:
        assert CHECK_DN in identities(node)
        assert session.read(person(1), ["sn"]) == {"sn": ("1",)}


def test_an_anonymous_session_is_nobody_and_may_read_the_root_dse(node: Node) -> None:
    with bound(node.uri, ANONYMOUS) as session:
        assert session.search("", "base", "(objectClass=*)", ["supportedLDAPVersion"]) == (
            ("", {"supportedldapversion": ("3",)}),
        )
        with pytest.raises(SessionError) as caught:
            session.read(person(1), ["sn"])
    assert caught.value.failure.kind is FailureKind.RESULT


def test_an_anonymous_session_sends_neither_dn_nor_password(node: Node) -> None:
    forgotten = Credentials(dn=CHECK_DN, password=Secret("wrong"))

    with bound(node.uri, forgotten) as session:
        assert session.alive


def test_external_over_ldapi_is_who_owns_the_process(node: Node) -> None:
    with bound(node.ldapi_uri, EXTERNAL):
        assert SOCKET_DN in identities(node)


def test_external_over_tls_is_who_the_client_certificate_names(
    node: Node, with_certificate: Tls
) -> None:
    assert node.ldaps_uri
    with bound(node.ldaps_uri, EXTERNAL, with_certificate):
        assert CERTIFICATE_DN in identities(node)


def test_external_works_after_start_tls_too(node: Node, with_certificate: Tls) -> None:
    tls = Tls(
        start_tls=True,
        ca_file=with_certificate.ca_file,
        certificate_file=with_certificate.certificate_file,
        key_file=with_certificate.key_file,
    )

    with bound(node.uri, EXTERNAL, tls):
        assert CERTIFICATE_DN in identities(node)


def test_external_sends_no_password(node: Node) -> None:
    credentials = Credentials(method=BindMethod.EXTERNAL, password=Secret("wrong"))

    with bound(node.ldapi_uri, credentials) as session:
        assert session.alive


@pytest.mark.parametrize("encrypted", [False, True], ids=["in the clear", "inside TLS"])
def test_external_without_anything_external_is_refused(
    node: Node, trusting: Tls, encrypted: bool
) -> None:
    uri = node.ldaps_uri if encrypted else node.uri
    assert uri
    failure = refusal(uri, EXTERNAL, trusting)

    assert failure.kind is FailureKind.BIND
    assert failure.result_code in {"authMethodNotSupported", "inappropriateAuthentication"}


def test_a_server_that_demands_a_certificate_gets_it(node: Node, with_certificate: Tls) -> None:
    assert node.ldaps_uri
    with demanding_certificates(node), bound(node.ldaps_uri, EXTERNAL, with_certificate):
        assert CERTIFICATE_DN in identities(node)


def test_a_server_that_demands_a_certificate_ends_a_session_without(
    node: Node, trusting: Tls
) -> None:
    """With TLS 1.3 the client's handshake is over before the server sees what is missing."""
    assert node.ldaps_uri
    with demanding_certificates(node):
        failure = refusal(node.ldaps_uri, CHECK, trusting)

    assert (failure.kind, failure.is_local) == (FailureKind.TLS_REFUSED, False)
    assert "certificate_file" in failure.detail


@pytest.mark.parametrize("newest", ["TLS1.3", "TLS1.2"])
@pytest.mark.parametrize("refused", ["of a stranger", "expired"])
def test_a_server_that_refuses_the_certificate_without_an_alert_is_alive(
    node: Node, authority: Authority, tmp_path: Path, newest: str, refused: str
) -> None:
    """Debian's slapd (GnuTLS) closes the connection, and sends no alert."""
    is_expired = refused == "expired"
    issuer = authority if is_expired else Authority(tmp_path)
    end = datetime.now(UTC) - timedelta(days=3) if is_expired else None
    issued = issuer.issue(f"{refused}{newest}", (), common_name="x", valid_until=end)
    tls = Tls(
        ca_file=str(authority.file),
        certificate_file=str(issued.chain),
        key_file=str(issued.key),
    )
    versions = "NORMAL" if newest == "TLS1.3" else "NORMAL:-VERS-TLS1.3"
    assert node.ldaps_uri
    node.root.modify("cn=config", f"replace: olcTLSCipherSuite\nolcTLSCipherSuite: {versions}")
    try:
        with demanding_certificates(node):
            failure = refusal(node.ldaps_uri, CHECK, tls)
    finally:
        node.root.modify("cn=config", "delete: olcTLSCipherSuite")

    assert (failure.kind, failure.is_local) == (FailureKind.TLS_REFUSED, False)
    assert "does not accept the client certificate" in failure.detail
    assert not is_expired or f"is valid until {end:%F}" in failure.detail


@pytest.mark.parametrize(
    ("certificate_there", "key_there"), [(False, True), (True, False)], ids=["certificate", "key"]
)
def test_a_client_certificate_that_is_not_there_is_our_trouble(
    node: Node, with_certificate: Tls, certificate_there: bool, key_there: bool
) -> None:
    tls = Tls(
        ca_file=with_certificate.ca_file,
        certificate_file=with_certificate.certificate_file if certificate_there else "/none",
        key_file=with_certificate.key_file if key_there else "/none",
    )
    assert node.ldaps_uri
    failure = refusal(node.ldaps_uri, CHECK, tls)

    assert (failure.kind, failure.is_local) == (FailureKind.TLS, True)
    assert "/none" in failure.detail


def test_a_bind_with_the_wrong_password_is_refused_as_the_server_says(node: Node) -> None:
    failure = refusal(node.uri, simple(CHECK_DN, "wrong"))

    assert (failure.kind, failure.result_code) == (FailureKind.BIND, "invalidCredentials")
    assert not failure.is_local


def test_a_dn_that_is_none_is_refused_as_the_server_says(node: Node) -> None:
    failure = refusal(node.uri, simple("no dn", "wrong"))

    assert (failure.kind, failure.result_code) == (FailureKind.BIND, "invalidDNSyntax")


def test_the_times_of_a_refused_bind_are_told(node: Node) -> None:
    session = session_with(node.uri, simple(CHECK_DN, "wrong"))
    session.connect()
    with pytest.raises(SessionError):
        session.bind()

    assert list(session.timings) == ["resolve", "connect", "bind"]
