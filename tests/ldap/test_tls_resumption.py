"""A TLS session is resumed where the settings ask for it, and never after a failure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from demo.certificates import Authority
from demo.node import Node
from ldaphealth.ldap.deadline import Deadline, SessionError
from ldaphealth.ldap.session import Session
from ldaphealth.ldap.tls_stream import Certificate
from ldaphealth.model import FailureKind, Server, Tls
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


def open_session(proxy: TlsProxy, tls: Tls, now: Callable[[], float]) -> Session:
    server = Server(cluster="c", name="s", uri=proxy.uri, credentials=CHECK, tls=tls)
    session = Session(server, Deadline.after(DEADLINE_SECONDS, now))
    session.connect()
    session.bind()
    return session


def whole(proxy: TlsProxy, tls: Tls, at: float = 0.0) -> Certificate | None:
    """Open a session at a moment, and end it as a round does."""
    session = open_session(proxy, tls, lambda: at)
    certificate = session.certificate()
    session.unbind()
    return certificate


def resuming(private: Authority) -> Tls:
    return Tls(ca_file=str(private.file), resume_seconds=RESUME_SECONDS)


def test_by_default_each_session_does_the_whole_handshake(
    proxy: TlsProxy, private: Authority
) -> None:
    for _ in range(3):
        whole(proxy, Tls(ca_file=str(private.file)))

    assert proxy.resumed(3) == [False, False, False]


def test_a_session_is_resumed_until_its_whole_handshake_is_too_old(
    proxy: TlsProxy, private: Authority
) -> None:
    tls = resuming(private)
    moments = (0.0, 5.0, RESUME_SECONDS - 1, RESUME_SECONDS, RESUME_SECONDS + 5)

    certificates = {whole(proxy, tls, at) for at in moments}

    assert proxy.resumed(5) == [False, True, True, False, True]
    (certificate,) = certificates  # a resumed session has that of the whole handshake
    assert certificate is not None
    assert certificate.names == (HOST,)
    assert certificate.expires_epoch_seconds is not None


def test_after_a_session_that_did_not_end_well_the_next_handshake_is_whole(
    proxy: TlsProxy, private: Authority
) -> None:
    tls = resuming(private)
    whole(proxy, tls)
    open_session(proxy, tls, lambda: 0.0).close()
    whole(proxy, tls)

    assert proxy.resumed(3) == [False, True, False]


def test_a_server_that_starts_with_a_wrong_certificate_is_found_at_once(
    proxy: TlsProxy, private: Authority, tmp_path: Path
) -> None:
    """What would resume a session is encrypted with a key that the new process does not have."""
    tls = resuming(private)
    whole(proxy, tls)
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    proxy.running.kill()
    proxy.start(Authority(stranger))

    for _ in range(2):
        with pytest.raises(SessionError) as caught:
            whole(proxy, tls)
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
            whole(proxy, tls)

        assert proxy.resumed(2) == [False, True]


def test_with_tls_1_2_it_is_never_resumed(node: Node, private: Authority, tmp_path: Path) -> None:
    with TlsProxy(node, tmp_path, private, "ssl-max-ver TLSv1.2") as proxy:
        for _ in range(2):
            whole(proxy, resuming(private))

        assert proxy.resumed(2) == [False, False]


def test_a_server_that_resumes_none_is_as_before(node: Node, trusting: Tls) -> None:
    """Such as slapd with GnuTLS."""
    assert node.ldaps_uri
    tls = Tls(ca_file=trusting.ca_file, resume_seconds=RESUME_SECONDS)
    server = Server(cluster="c", name="s", uri=node.ldaps_uri, credentials=CHECK, tls=tls)
    for _ in range(3):
        session = Session(server, Deadline.after(DEADLINE_SECONDS))
        session.connect()
        session.bind()
        session.unbind()
