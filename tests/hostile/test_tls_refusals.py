"""A server that refuses TLS with this client is alive, and the failure names the reason.

The servers use OpenSSL, which sends alerts; tests/ldap/test_identities.py has slapd, which sends
none.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ldaphealth.judging.judge import trust
from ldaphealth.ldap.deadline import Deadline, SessionError
from ldaphealth.ldap.session import open_session
from ldaphealth.ldap.tls import client_tls, first_expiry
from ldaphealth.ldap.transport import Transport
from ldaphealth.model import Failure, FailureKind, Server, Tls, Trust
from tests.hostile import servers
from tests.hostile.servers import Authority, answering, message, result

WELL = answering(message(1, result(1, 0)))
VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
PROTOCOL_VERSION_ALERT = b"\x15\x03\x01\x00\x02\x02\x46"
# ServerHello of TLS 1.1 (RFC 4346 7.4.1.3), from a server that knows no newer one.
OLD_HELLO = b"\x16\x03\x02\x00\x2a\x02\x00\x00\x26\x03\x02" + bytes(32) + b"\x00\xc0\x14\x00"


def failure_at(port: int, tls: Tls, scheme: str = "ldaps") -> Failure | None:
    server = Server(cluster="c", name="s", uri=f"{scheme}://127.0.0.1:{port}", tls=tls)
    try:
        open_session(server, Deadline.after(3.0)).close()
    except SessionError as error:
        return error.failure
    return None


def refused(context: ssl.SSLContext, tls: Tls) -> str:
    """Return the sentence of a failure that must be a refusal."""
    with servers.listening(WELL, context) as port:
        failure = failure_at(port, tls)
    assert failure is not None
    assert (failure.kind, trust(failure)) == (FailureKind.TLS_REFUSED, Trust.EXPECTATION)
    return failure.detail


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.name)
def test_a_certificate_that_the_server_takes_is_sent(
    version: ssl.TLSVersion, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    context = authority.demanding()
    context.maximum_version = version
    with servers.listening(WELL, context) as port:
        tls = Tls(ca_file=authority.ca_file, certificate_file=authority.client_file())

        assert failure_at(port, tls) is None


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.name)
@pytest.mark.parametrize(
    ("which", "sentence"),
    [
        ("none", "it requires a client certificate: set certificate_file"),
        ("expired", "has expired: renew certificate_file; "),
        ("of a stranger", "does not trust the issuer of the client certificate"),
    ],
)
def test_a_refused_client_certificate_names_the_reason(
    version: ssl.TLSVersion, which: str, sentence: str, tmp_path: Path
) -> None:
    (tmp_path / "stranger").mkdir()
    authority, stranger = Authority(tmp_path), Authority(tmp_path / "stranger")
    files = {
        "none": "",
        "expired": authority.client_file(datetime.now(UTC) - timedelta(days=2)),
        "of a stranger": stranger.client_file(),
    }
    context = authority.demanding()
    context.maximum_version = version

    detail = refused(context, Tls(ca_file=authority.ca_file, certificate_file=files[which]))

    assert sentence in detail


def test_an_alert_that_waits_behind_a_failed_send_is_read(tmp_path: Path) -> None:
    """With TLS 1.3 the server closes after the handshake of the client has ended."""
    authority = Authority(tmp_path)
    with (
        servers.listening(WELL, authority.demanding()) as port,
        socket.create_connection(("127.0.0.1", port)) as sock,
    ):
        sock.setblocking(False)
        transport = Transport(sock, Deadline.after(5.0))
        transport.start_tls(Tls(ca_file=authority.ca_file), "ldaps://127.0.0.1", "127.0.0.1")
        with pytest.raises(SessionError) as caught:
            send_until_it_fails(transport)

    assert caught.value.failure.kind is FailureKind.TLS_REFUSED
    assert "certificate_required" in caught.value.failure.detail


def send_until_it_fails(transport: Transport) -> None:
    for _ in range(20):
        time.sleep(0.1)
        transport.send(b"\x30\x00", "bind")


def test_a_version_that_the_server_does_not_speak(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    context = authority.context("127.0.0.1")
    context.maximum_version = ssl.TLSVersion.TLSv1_2

    detail = refused(context, Tls(ca_file=authority.ca_file, min_version="TLSv1.3"))

    assert "protocol_version" in detail
    assert "min_version" in detail


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1:DeprecationWarning")
def test_a_lower_version_and_its_ciphers_can_be_set(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    context = authority.context("127.0.0.1")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    assert "protocol_version" in refused(context, Tls(ca_file=authority.ca_file))

    tls = Tls(ca_file=authority.ca_file, min_version="TLSv1.1", ciphers="DEFAULT:@SECLEVEL=0")
    with servers.listening(WELL, context) as port:
        assert failure_at(port, tls) is None


def test_ciphers_that_the_server_does_not_have(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    context = authority.context("127.0.0.1")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-ECDSA-AES256-GCM-SHA384")
    tls = Tls(ca_file=authority.ca_file, ciphers="ECDHE-ECDSA-AES128-GCM-SHA256")

    assert "handshake_failure: no cipher in common" in refused(context, tls)


def test_a_version_that_the_library_here_refuses(tmp_path: Path) -> None:
    with servers.listening(answering(OLD_HELLO)) as port:
        failure = failure_at(port, Tls(ca_file=Authority(tmp_path).ca_file))

    assert failure is not None
    assert (failure.kind, trust(failure)) == (FailureKind.TLS_REFUSED, Trust.EXPECTATION)
    assert "the TLS library of this host" in failure.detail


def test_ldap_at_a_port_that_answers_with_an_alert_is_named() -> None:
    with servers.listening(answering(PROTOCOL_VERSION_ALERT)) as port:
        failure = failure_at(port, Tls(), scheme="ldap")

    assert failure is not None
    assert failure.kind is FailureKind.TLS_REFUSED
    assert "ldaps://" in failure.detail


def closing_in_the_handshake(peer: socket.socket) -> None:
    peer.recv(4096)


def closing_after_the_handshake(peer: socket.socket) -> None:
    with contextlib.suppress(ssl.SSLError):
        assert isinstance(peer, ssl.SSLSocket)
        peer.unwrap()


@pytest.mark.parametrize(
    ("behave", "is_in_tls", "kind"),
    [
        pytest.param(closing_in_the_handshake, False, FailureKind.TLS, id="in the handshake"),
        pytest.param(closing_after_the_handshake, True, FailureKind.CONNECT, id="after it"),
    ],
)
def test_a_close_without_an_alert_is_no_refusal(
    behave: Callable[[socket.socket], None], is_in_tls: bool, kind: FailureKind, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    context = authority.context("127.0.0.1") if is_in_tls else None
    with servers.listening(behave, context) as port:
        failure = failure_at(port, Tls(ca_file=authority.ca_file))

    assert failure is not None
    assert (failure.kind, trust(failure)) == (kind, Trust.HARD)


def test_a_close_after_an_ldap_answer_is_no_refusal(tmp_path: Path) -> None:
    """A server that answered has accepted the certificate."""
    authority = Authority(tmp_path)
    tls = Tls(ca_file=authority.ca_file, certificate_file=authority.client_file())

    def behave(peer: socket.socket) -> None:
        peer.recv(4096)
        peer.sendall(message(1, result(1, 0)))
        peer.recv(4096)

    with servers.listening(behave, authority.demanding()) as port:
        server = Server(cluster="c", name="s", uri=f"ldaps://127.0.0.1:{port}", tls=tls)
        session = open_session(server, Deadline.after(3.0))
        with pytest.raises(SessionError) as caught:
            session.compare("cn=x", "cn", "x")

    assert caught.value.failure.kind is FailureKind.CONNECT


def test_an_authority_without_key_usage_is_trusted(tmp_path: Path) -> None:
    """`openssl req -x509` makes such ones. Python 3.13 refuses them unless the flag is cleared."""
    ca_file, context = authority_without_key_usage(tmp_path)
    tls = Tls(ca_file=ca_file)

    assert not client_tls(tls).context.verify_flags & ssl.VERIFY_X509_STRICT
    with servers.listening(WELL, context) as port:
        assert failure_at(port, tls) is None


def authority_without_key_usage(directory: Path) -> tuple[str, ssl.SSLContext]:
    """Return the file of an authority, and a server's context with a certificate from it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    ca_file, key_file = directory / "plain.pem", directory / "plain.key"
    ca_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ca_file, key_file)
    return str(ca_file), context


@pytest.mark.parametrize("year", [2030, 2049, 2050, 2130])
def test_the_first_expiry_of_a_chain_is_found(year: int, tmp_path: Path) -> None:
    """RFC 5280 4.1.2.5 writes dates from 2050 on in another form."""
    authority = Authority(tmp_path)
    end = datetime(year, 2, 3, 4, 5, 6, tzinfo=UTC)
    one = Path(authority.client_file(end)).read_text(encoding="utf-8")
    later = Path(authority.client_file(end + timedelta(days=9))).read_text(encoding="utf-8")

    assert first_expiry(later + one) == end.timestamp()


@pytest.mark.parametrize("text", ["", "no certificate", ssl.DER_cert_to_PEM_cert(b"0")])
def test_what_is_no_certificate_has_no_expiry(text: str) -> None:
    assert first_expiry(text) is None
