"""A mistake in what a session is given is told as our trouble, and as nothing but SessionError."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from demo.node import Node
from demo.tree import CHECK_DN, PEOPLE, SUFFIX
from ldaphealth.checks import BUILT_IN
from ldaphealth.ldap.deadline import Deadline, SessionError
from ldaphealth.ldap.resolver import Address
from ldaphealth.ldap.session import Session
from ldaphealth.ldap.transport import connect
from ldaphealth.model import Failure, FailureKind, Server, Tls
from ldaphealth.rounds.probe import probe_server
from ldaphealth.settings import ConfiguredCheck
from tests.ldap.opening import CHECK, bound, refusal, session_with, simple

pytestmark = pytest.mark.slapd

NOT_TEXT = "\ud800"  # half a surrogate pair: what os.environ makes of bytes that are not UTF-8


@pytest.fixture
def session(node: Node) -> Iterator[Session]:
    """Return a session of the check account."""
    with bound(node.uri, CHECK) as session:
        yield session


def failure_of(operation: Callable[[], object]) -> Failure:
    with pytest.raises(SessionError) as caught:
        operation()
    return caught.value.failure


@pytest.mark.parametrize(
    "operation",
    [
        pytest.param(lambda session: session.search(NOT_TEXT, "base", "(cn=*)", ["cn"]), id="base"),
        pytest.param(
            lambda session: session.search(PEOPLE, "base", f"(cn={NOT_TEXT})", ["cn"]), id="filter"
        ),
        pytest.param(
            lambda session: session.search(PEOPLE, "base", "(cn=*)", [NOT_TEXT]), id="attribute"
        ),
        pytest.param(lambda session: session.search(PEOPLE, "base", "", ["cn"]), id="no filter"),
        pytest.param(lambda session: session.compare(PEOPLE, "ou", NOT_TEXT), id="compare"),
        pytest.param(lambda session: session.replace(PEOPLE, "ou", NOT_TEXT), id="replace"),
        pytest.param(lambda session: session.add(PEOPLE, {"ou": [NOT_TEXT]}), id="add"),
    ],
)
def test_what_cannot_be_asked_is_our_trouble_and_the_session_goes_on(
    session: Session, operation: Callable[[Session], object]
) -> None:
    failure = failure_of(lambda: operation(session))

    assert (failure.kind, failure.is_local) == (FailureKind.BUG, True)
    assert session.compare(PEOPLE, "ou", "people")


@pytest.mark.parametrize("size_limit", [-1, 2**31])
def test_a_size_limit_that_ldap_cannot_say_is_our_trouble(
    session: Session, size_limit: int
) -> None:
    failure = failure_of(lambda: session.search(PEOPLE, "one", "(cn=*)", ["cn"], size_limit))

    assert failure.kind is FailureKind.BUG


def test_a_filter_a_thousand_deep_is_our_trouble(session: Session) -> None:
    filter_text = "(!" * 1000 + "(cn=*)" + ")" * 1000

    assert failure_of(lambda: session.search(PEOPLE, "base", filter_text, ["cn"])).is_local


def test_a_dn_that_is_no_text_is_our_trouble(node: Node) -> None:
    assert refusal(node.uri, simple(f"cn={NOT_TEXT}", "password")).is_local


def test_a_url_that_is_none_is_our_trouble() -> None:
    session = session_with("http://localhost")

    assert failure_of(session.connect).is_local


def test_a_server_name_with_a_nul_is_a_failure(node: Node, trusting: Tls) -> None:
    assert node.ldaps_uri
    tls = Tls(ca_file=trusting.ca_file)
    failure = refusal(node.ldaps_uri, CHECK, tls, "ldap1\0.test")

    assert failure.kind in {FailureKind.TLS, FailureKind.CERTIFICATE}


def test_a_socket_path_with_a_line_end_is_told_in_one_line() -> None:
    failure = refusal("ldapi://%2Fnone%0Asecond%20line")

    assert failure.detail.isprintable()


def test_a_socket_that_is_not_there_is_told_by_its_path() -> None:
    failure = refusal("ldapi://%2Fnone%2Fldapi")

    assert failure.kind is FailureKind.CONNECT
    assert "/none/ldapi" in failure.detail


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("", id="a directory"),
        pytest.param("file", id="a file"),
        pytest.param("file/ldapi", id="below a file"),
        pytest.param("a" * 108, id="too long"),
        pytest.param("datagrams", id="a socket for datagrams"),
    ],
)
def test_a_path_that_can_be_no_socket_of_a_server_is_a_mistake_in_the_settings(
    path: str, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagrams:
        datagrams.bind(str(tmp_path / "datagrams"))
        failure = refusal(f"ldapi://{quote(str(tmp_path / path), safe='')}")

    assert failure.is_local


def test_a_socket_without_a_server_is_a_dead_server(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "ldapi"))

    failure = refusal(f"ldapi://{quote(str(tmp_path / 'ldapi'), safe='')}")

    assert (failure.kind, failure.is_local) == (FailureKind.CONNECT, False)


@pytest.mark.parametrize("uri", ["ldap://[fe80::1]", "ldap://224.0.0.1", "ldap://10.0.0.300"])
def test_an_address_that_cannot_be_used_is_a_mistake_in_the_settings(uri: str) -> None:
    assert failure_of(session_with(uri).connect).is_local


LINK_LOCAL: Address = (socket.AF_INET6, ("fe80::1", 389, 0, 0))  # EINVAL without an interface


@pytest.mark.parametrize("refused_first", [True, False])
def test_of_several_addresses_one_that_refuses_shows_a_dead_server(refused_first: bool) -> None:
    """A name may have an address that this host cannot use, such as one of IPv6."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        refusing: Address = (socket.AF_INET, closed.getsockname())
    addresses = [refusing, LINK_LOCAL] if refused_first else [LINK_LOCAL, refusing]

    assert not failure_of(lambda: connect(addresses, Deadline.after(5.0))).is_local
    assert failure_of(lambda: connect([LINK_LOCAL], Deadline.after(5.0))).is_local


def test_an_operation_before_connect_is_our_trouble(node: Node) -> None:
    session = session_with(node.uri)

    assert failure_of(lambda: session.compare(PEOPLE, "ou", "people")).is_local
    assert failure_of(session.bind).is_local


def test_an_operation_after_unbind_is_our_trouble(session: Session) -> None:
    session.unbind()

    assert failure_of(lambda: session.compare(PEOPLE, "ou", "people")).is_local


def test_closing_twice_is_no_failure(session: Session) -> None:
    session.close()
    session.close()

    assert not session.alive


def test_after_a_bind_that_cannot_be_sent_nothing_is_asked_as_nobody(node: Node) -> None:
    credentials = simple(CHECK_DN, "a tab\tin it")
    server = Server(cluster="c", name="s", uri=node.uri, suffix=SUFFIX, credentials=credentials)
    checks = [
        ConfiguredCheck(
            check=BUILT_IN[name], params=BUILT_IN[name].params(), effect=BUILT_IN[name].effect
        )
        for name in ("connect", "bind", "search")
    ]

    seen = probe_server(server, checks, Deadline.after(5.0))

    assert [(each.check, each.failure and each.failure.is_local) for each in seen] == [
        ("connect", None),
        ("bind", True),
    ]
