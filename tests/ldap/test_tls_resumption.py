"""A TLS session is resumed where the settings ask for it, and never after a failure."""

from __future__ import annotations

import itertools
import select
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.certificates import Authority
from demo.node import Node
from ldaphealth.ldap.deadline import Deadline, SessionError
from ldaphealth.ldap.session import Session
from ldaphealth.ldap.tls_stream import Certificate
from ldaphealth.model import FailureKind, Server, Tls
from tests.hostile import servers
from tests.ldap.opening import CHECK, DEADLINE_SECONDS
from tests.ldap.tls_proxy import HOST, TlsProxy

pytestmark = pytest.mark.slapd

RESUME_SECONDS = 60.0


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Return an authority that these tests may let issue anything."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def proxy(node: Node, private: Authority, tmp_path: Path) -> Iterator[TlsProxy]:
    with TlsProxy(node, tmp_path, private) as running:
        yield running


def open_session(uri: str, tls: Tls) -> Session:
    server = Server(cluster="c", name="s", uri=uri, credentials=CHECK, tls=tls)
    session = Session(server, Deadline.after(DEADLINE_SECONDS))
    try:
        session.connect()
        session.bind()
    except SessionError:
        session.close()
        raise
    return session


def whole(uri: str, tls: Tls) -> Certificate | None:
    """Open a session, and end it as a round does."""
    session = open_session(uri, tls)
    certificate = session.certificate()
    session.unbind()
    return certificate


def resuming(private: Authority, seconds: float = RESUME_SECONDS) -> Tls:
    return Tls(ca_file=str(private.file), resume_seconds=seconds)


def test_by_default_each_session_does_the_whole_handshake(
    proxy: TlsProxy, private: Authority
) -> None:
    for _ in range(3):
        whole(proxy.uri, Tls(ca_file=str(private.file)))

    assert proxy.resumed(3) == [False, False, False]


def test_a_tls_session_is_resumed_and_has_the_certificate_of_the_whole_handshake(
    proxy: TlsProxy, private: Authority
) -> None:
    tls = resuming(private)

    certificates = {whole(proxy.uri, tls) for _ in range(4)}

    assert proxy.resumed(4) == [False, True, True, True]
    (certificate,) = certificates
    assert certificate is not None
    assert certificate.names == (HOST,)
    assert certificate.expires_epoch_seconds is not None


def test_after_a_session_that_did_not_end_well_the_next_handshake_is_whole(
    proxy: TlsProxy, private: Authority
) -> None:
    tls = resuming(private)
    whole(proxy.uri, tls)
    open_session(proxy.uri, tls).close()
    for _ in range(2):
        whole(proxy.uri, tls)

    assert proxy.resumed(4) == [False, True, False, False]


def test_a_server_that_fails_when_it_is_resumed_fails_once(
    proxy: TlsProxy, private: Authority
) -> None:
    tls = resuming(private)
    with servers.listening(closing_the_second(proxy.address)) as port:
        uri = f"ldaps://{HOST}:{port}"
        whole(uri, tls)
        with pytest.raises(SessionError) as caught:
            whole(uri, tls)
        for _ in range(2):
            whole(uri, tls)

    assert caught.value.failure.kind is FailureKind.TLS
    assert "which resumed an earlier TLS session (resume_seconds)" in caught.value.failure.detail
    assert proxy.resumed(3) == [False, False, False]


def closing_the_second(address: tuple[str, int]) -> servers.Behaviour:
    """Relay connections to an address, but close the second one after its first message."""
    number = itertools.count(1)

    def behave(peer: socket.socket) -> None:
        if next(number) == 2:
            peer.recv(4096)
            return
        with socket.create_connection(address) as behind:
            while True:
                ready, _, _ = select.select((peer, behind), (), ())
                octets = ready[0].recv(65536)
                if not octets:
                    return
                (behind if ready[0] is peer else peer).sendall(octets)

    return behave


def test_after_the_time_the_handshake_is_whole(proxy: TlsProxy, private: Authority) -> None:
    for _ in range(2):
        whole(proxy.uri, resuming(private, seconds=0.2))
        time.sleep(0.3)

    assert proxy.resumed(2) == [False, False]


def test_a_server_that_starts_with_a_wrong_certificate_is_found_at_once(
    proxy: TlsProxy, private: Authority, tmp_path: Path
) -> None:
    """What would resume a session is encrypted with a key that the new process does not have."""
    tls = resuming(private)
    whole(proxy.uri, tls)
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    proxy.running.kill()
    proxy.start(Authority(stranger))

    for _ in range(2):
        with pytest.raises(SessionError) as caught:
            whole(proxy.uri, tls)
        assert caught.value.failure.kind is FailureKind.CERTIFICATE


def test_a_client_certificate_is_proven_once(
    node: Node, private: Authority, tmp_path: Path
) -> None:
    options = f"verify required ca-file {private.file}"
    issued = private.issue("client", (), common_name="agent.example")
    tls = Tls(
        ca_file=str(private.file),
        certificate_file=str(issued.chain),
        key_file=str(issued.key),
        resume_seconds=RESUME_SECONDS,
    )
    with TlsProxy(node, tmp_path, private, options) as proxy:
        for _ in range(2):
            whole(proxy.uri, tls)

        assert proxy.resumed(2) == [False, True]


def test_with_tls_1_2_it_is_never_resumed(node: Node, private: Authority, tmp_path: Path) -> None:
    with TlsProxy(node, tmp_path, private, "ssl-max-ver TLSv1.2") as proxy:
        for _ in range(2):
            whole(proxy.uri, resuming(private))

        assert proxy.resumed(2) == [False, False]


def test_a_server_that_resumes_none_is_as_before(node: Node, trusting: Tls) -> None:
    """Such as slapd with GnuTLS."""
    assert node.ldaps_uri
    for _ in range(3):
        whole(node.ldaps_uri, Tls(ca_file=trusting.ca_file, resume_seconds=RESUME_SECONDS))
