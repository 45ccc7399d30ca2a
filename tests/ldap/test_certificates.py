"""Only a server that proves its name gets to hear anything (RFC 4513 3.1.3)."""

from __future__ import annotations

import contextlib
import itertools
import os
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from demo.certificates import Authority, ServerCertificate
from demo.node import Node
from ldaphealth.ldap.deadline import SessionError
from ldaphealth.ldap.tls import _cached, client_tls
from ldaphealth.ldap.tls_stream import Certificate
from ldaphealth.model import FailureKind, Tls
from tests.ldap.opening import CHECK, bound, refusal

pytestmark = pytest.mark.slapd

NAME = "ldap1.test"
_number = itertools.count()


@pytest.fixture(params=["ldaps", "StartTLS"])
def start_tls(request: pytest.FixtureRequest) -> bool:
    """Tell which of the two ways to TLS it is; every test of a certificate goes both."""
    return bool(request.param == "StartTLS")


@pytest.fixture
def uri(node: Node, start_tls: bool) -> str:
    """Return the node's address on that way."""
    assert node.ldaps_uri
    return node.uri if start_tls else node.ldaps_uri


@contextlib.contextmanager
def presenting(node: Node, certificate: ServerCertificate) -> Iterator[None]:
    """Let slapd present another certificate."""
    _present(node, certificate.chain, certificate.key)
    try:
        yield
    finally:
        _present(node, node.directory.with_suffix(".pem"), node.directory.with_suffix(".key"))


def _present(node: Node, chain: Path, key: Path) -> None:
    node.root.modify(
        "cn=config",
        f"replace: olcTLSCertificateFile\nolcTLSCertificateFile: {chain}\n-\n"
        f"replace: olcTLSCertificateKeyFile\nolcTLSCertificateKeyFile: {key}",
    )


@pytest.fixture
def only_named(node: Node, authority: Authority) -> Iterator[None]:
    """Let slapd present a certificate with a name in it, and no address."""
    with presenting(node, authority.issue(f"named{next(_number)}", (NAME,))):
        yield


def test_a_trusted_certificate_with_the_address_is_taken(
    uri: str, start_tls: bool, trusting: Tls
) -> None:
    with bound(uri, CHECK, Tls(start_tls=start_tls, ca_file=trusting.ca_file)) as session:
        assert session.alive


def test_an_unknown_authority_is_not_trusted(
    uri: str, start_tls: bool, strangers_file: Path
) -> None:
    failure = refusal(uri, CHECK, Tls(start_tls=start_tls, ca_file=str(strangers_file)))

    assert (failure.kind, failure.is_local) == (FailureKind.CERTIFICATE, False)


def test_without_settings_the_authorities_of_the_system_decide(uri: str, start_tls: bool) -> None:
    assert refusal(uri, CHECK, Tls(start_tls=start_tls)).kind is FailureKind.CERTIFICATE


def test_a_host_name_that_is_not_in_the_certificate_is_not_taken(
    uri: str, start_tls: bool, trusting: Tls
) -> None:
    by_name = uri.replace("127.0.0.1", "localhost")

    failure = refusal(by_name, CHECK, Tls(start_tls=start_tls, ca_file=trusting.ca_file))

    assert failure.kind is FailureKind.CERTIFICATE
    assert "localhost" in failure.detail


@pytest.mark.usefixtures("only_named")
def test_an_address_that_is_not_in_the_certificate_is_not_taken(
    uri: str, start_tls: bool, trusting: Tls
) -> None:
    failure = refusal(uri, CHECK, Tls(start_tls=start_tls, ca_file=trusting.ca_file))

    assert failure.kind is FailureKind.CERTIFICATE
    assert "127.0.0.1" in failure.detail


@pytest.mark.usefixtures("only_named")
def test_a_server_name_that_is_in_the_certificate_lets_us_connect_to_an_address(
    uri: str, start_tls: bool, trusting: Tls
) -> None:
    tls = Tls(start_tls=start_tls, ca_file=trusting.ca_file)

    with bound(uri, CHECK, tls, NAME) as session:
        assert session.alive


def test_a_server_name_counts_even_if_the_address_is_in_the_certificate(
    uri: str, start_tls: bool, trusting: Tls
) -> None:
    tls = Tls(start_tls=start_tls, ca_file=trusting.ca_file)

    assert refusal(uri, CHECK, tls, "ldap2.test").kind is FailureKind.CERTIFICATE


def test_an_expired_certificate_is_not_trusted(
    node: Node, uri: str, start_tls: bool, trusting: Tls, authority: Authority
) -> None:
    yesterday = datetime.now(UTC) - timedelta(days=1)
    expired = authority.issue(f"expired{next(_number)}", ("127.0.0.1",), valid_until=yesterday)
    with presenting(node, expired):
        failure = refusal(uri, CHECK, Tls(start_tls=start_tls, ca_file=trusting.ca_file))

    assert failure.kind is FailureKind.CERTIFICATE
    assert "expired" in failure.detail


def test_with_verification_off_any_certificate_will_do(
    node: Node, uri: str, start_tls: bool, strangers_file: Path, authority: Authority
) -> None:
    yesterday = datetime.now(UTC) - timedelta(days=1)
    expired = authority.issue(f"expired{next(_number)}", ("other.test",), valid_until=yesterday)
    tls = Tls(start_tls=start_tls, ca_file=str(strangers_file), verify=False)
    with presenting(node, expired), bound(uri, CHECK, tls) as session:
        assert "tls" in session.timings


def test_a_renewed_authority_file_is_read_again(
    uri: str, start_tls: bool, authority: Authority, strangers_file: Path, tmp_path: Path
) -> None:
    """Settings are cached by the state of their files, in a process that may run for months."""
    ca_file = tmp_path / "ca.pem"
    ca_file.write_bytes(strangers_file.read_bytes())
    tls = Tls(start_tls=start_tls, ca_file=str(ca_file))
    assert refusal(uri, CHECK, tls).kind is FailureKind.CERTIFICATE
    ca_file.write_bytes(authority.file.read_bytes())

    with bound(uri, CHECK, tls) as session:
        assert session.alive


def test_an_authority_file_that_is_not_there_is_our_trouble(uri: str, start_tls: bool) -> None:
    failure = refusal(uri, CHECK, Tls(start_tls=start_tls, ca_file="/none"))

    assert (failure.kind, failure.is_local) == (FailureKind.TLS, True)


def test_start_tls_never_falls_back_to_clear_text(node_without_tls: Node, trusting: Tls) -> None:
    tls = Tls(start_tls=True, ca_file=trusting.ca_file)

    failure = refusal(node_without_tls.uri, CHECK, tls)

    assert (failure.kind, failure.result_code) == (FailureKind.RESULT, "protocolError")
    assert failure.detail.startswith(
        "StartTLS failed: the server does not understand the request ("
    )
    assert not failure.is_local


def test_ldaps_to_a_port_that_speaks_ldap_fails(node: Node, trusting: Tls) -> None:
    failure = refusal(node.uri.replace("ldap:", "ldaps:"), CHECK, trusting)

    assert failure.kind in {FailureKind.TLS, FailureKind.CONNECT}
    assert "write ldap:// in the URI, with StartTLS" in failure.detail


def test_ldap_to_a_port_that_speaks_ldaps_fails(node: Node) -> None:
    assert node.ldaps_uri
    failure = refusal(node.ldaps_uri.replace("ldaps:", "ldap:"), CHECK)

    assert failure.kind in {FailureKind.PROTOCOL, FailureKind.CONNECT}


def test_the_end_of_the_presented_certificate_is_told(
    node: Node, authority: Authority, uri: str, start_tls: bool
) -> None:
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=12)
    soon = authority.issue(f"soon{next(_number)}", (NAME,), valid_until=until)
    tls = Tls(start_tls=start_tls, ca_file=str(authority.file))
    with presenting(node, soon), bound(uri, CHECK, tls, NAME) as session:
        found = session.certificate()

    assert found is not None
    assert (found.names, found.expires_epoch_seconds) == ((NAME,), until.timestamp())


def test_what_is_not_verified_has_no_end(node: Node) -> None:
    assert node.ldaps_uri
    with bound(node.ldaps_uri, CHECK, Tls(verify=False)) as session:
        assert session.certificate() == Certificate()
    with bound(node.uri, CHECK) as session:
        assert session.certificate() is None


def test_no_more_is_required_of_a_certificate_than_by_rfc_4513(trusting: Tls) -> None:
    """From Python 3.13 on the default refuses authorities without keyUsage (RFC 5280)."""
    assert not client_tls(trusting).context.verify_flags & ssl.VERIFY_X509_STRICT


def test_files_that_cannot_be_loaded_are_not_loaded_again_until_they_change(tmp_path: Path) -> None:
    """To find that out takes 20 ms, and each session of each server of a cluster would."""
    file = tmp_path / "client.pem"
    file.write_text("no certificate")
    tls = Tls(certificate_file=str(file))
    before = _cached.cache_info().misses

    for _ in range(5):
        with pytest.raises(SessionError, match="cannot load the TLS files"):
            client_tls(tls)
    assert _cached.cache_info().misses == before + 1

    os.utime(file, (1.0, 1.0))
    with pytest.raises(SessionError, match="cannot load the TLS files"):
        client_tls(tls)
    assert _cached.cache_info().misses == before + 2
