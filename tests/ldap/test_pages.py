"""Reading page by page from a real slapd, and from servers that page as none should."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from itertools import count, islice
from time import monotonic

import pytest

from demo.node import DATABASE, Node
from demo.tree import CHECK_DN, PEOPLE, PEOPLE_COUNT, SUFFIX, person
from ldaphealth.ldap.codec import OctetsEntry
from ldaphealth.ldap.deadline import Deadline, SessionError
from ldaphealth.ldap.session import Session
from ldaphealth.model import Failure, FailureKind, Server
from tests.hostile.servers import Behaviour, entry, listening, message, result
from tests.ldap.opening import CHECK, bound

ALL = "(objectClass=*)"
FAR_ENOUGH = Failure(FailureKind.BUG, "the test has seen enough")
PAGED = b"1.2.840.113556.1.4.319"


def whole(entry: OctetsEntry) -> OctetsEntry:
    """Keep all of an entry."""
    return entry


def sequence(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return bytes([tag, 0x84]) + len(body).to_bytes(4, "big") + body


def done(cookie: bytes, code: int = 0) -> bytes:
    """Return a SearchResultDone with the control of RFC 2696."""
    value = sequence(0x30, b"\x02\x01\x00", sequence(0x04, cookie))
    control = sequence(0x30, sequence(0x04, PAGED), sequence(0x04, value))
    return result(5, code) + sequence(0xA0, control)


@pytest.mark.slapd
@pytest.mark.parametrize("page_size", [1, 7, 10, 20, 1000])
def test_the_pages_together_are_the_whole(page_size: int, node: Node) -> None:
    with bound(node.uri, CHECK) as session:
        pages = [*session.pages(PEOPLE, "one", ALL, ("uid",), page_size, whole)]

    assert {len(page) for page in pages[:-1]} <= {page_size}
    assert sorted(dn for page in pages for dn, _ in page) == sorted(
        person(number) for number in range(1, PEOPLE_COUNT + 1)
    )


@pytest.mark.slapd
def test_a_referral_is_an_entry_like_any_other(node: Node) -> None:
    dn = f"cn=elsewhere,{PEOPLE}"
    node.root.add(
        dn, "objectClass: referral\nobjectClass: extensibleObject\ncn: elsewhere\nref: ldap://x/"
    )
    try:
        with bound(node.uri, CHECK) as session:
            found = [*session.pages(dn, "base", ALL, ("entryUUID",), 1, whole)]
    finally:
        node.root._run("ldapdelete", "-M", dn)

    assert [name for ((name, _),) in found] == [dn]


@pytest.mark.slapd
def test_nothing_is_no_page_and_a_base_that_is_not_there_is_an_error(node: Node) -> None:
    with bound(node.uri, CHECK) as session:
        nothing = [*session.pages(PEOPLE, "sub", "(uid=nobody)", ("uid",), 10, whole)]
        with pytest.raises(SessionError) as caught:
            next(session.pages(f"ou=none,{SUFFIX}", "sub", ALL, ("uid",), 10, whole))

    assert nothing == []
    assert caught.value.failure.result_code == "noSuchObject"


@pytest.mark.slapd
def test_a_size_limit_ends_it_after_what_was_sent(node: Node) -> None:
    old = f'dn.exact="{CHECK_DN}" size=unlimited'
    node.root.modify(DATABASE, f'replace: olcLimits\nolcLimits: dn.exact="{CHECK_DN}" size=7')
    seen: list[str] = []

    def read(session: Session) -> None:
        for page in session.pages(PEOPLE, "one", ALL, ("uid",), 5, whole):
            seen.extend(dn for dn, _ in page)

    try:
        with bound(node.uri, CHECK) as session, pytest.raises(SessionError) as caught:
            read(session)
    finally:
        node.root.modify(DATABASE, f"replace: olcLimits\nolcLimits: {old}")

    assert (len(seen), caught.value.failure.result_code) == (7, "sizeLimitExceeded")


@pytest.mark.slapd
def test_the_session_goes_on_in_the_middle(node: Node) -> None:
    with bound(node.uri, CHECK) as session:
        first, second = islice(session.pages(PEOPLE, "one", ALL, ("uid",), 3, whole), 2)
        assert session.compare(person(1), "uid", "user1")

    assert not {dn for dn, _ in first} & {dn for dn, _ in second}


def session_with(
    behave: Behaviour, seconds: float, use: Callable[[Session], object]
) -> FailureKind:
    """Use an unbound session with such a server; return why it failed."""
    with listening(behave) as port:
        session = Session(
            Server(cluster="c", name="s", uri=f"ldap://127.0.0.1:{port}"), Deadline.after(seconds)
        )
        try:
            session.connect()
            with pytest.raises(SessionError) as caught:
                use(session)
        finally:
            session.close()
    return caught.value.failure.kind


def drain(session: Session) -> None:
    for _ in session.pages("", "sub", ALL, ("cn",), 10, whole):
        pass


def renewing(session: Session) -> None:
    for _ in session.pages("", "sub", ALL, ("cn",), 10, whole):
        session.renew(Deadline.after(1.0))


def paging(*parts: bytes, cookie: bytes = b"more") -> Behaviour:
    """Return a server that answers each request with these messages and says there is more."""

    def behave(peer: socket.socket) -> None:
        for number in count(1):
            peer.recv(4096)
            peer.sendall(b"".join(message(number, part) for part in (*parts, done(cookie))))

    return behave


def test_empty_pages_without_end_are_no_ldap() -> None:
    assert session_with(paging(), 5.0, drain) is FailureKind.PROTOCOL


def test_pages_without_end_end_with_the_deadline_or_the_budget() -> None:
    began = monotonic()
    kind = session_with(paging(entry(padding=1000)), 1.0, drain)

    assert kind in (FailureKind.TOO_LARGE, FailureKind.TIMEOUT)
    assert monotonic() - began < 2.0


def test_renewed_one_page_is_bounded_like_a_session() -> None:
    assert (
        session_with(paging(*[entry(padding=1000)] * 100), 1.0, renewing) is FailureKind.TOO_LARGE
    )


def test_renewed_the_pages_may_take_longer_and_be_more() -> None:
    stop = threading.Event()

    def use(session: Session) -> None:
        for number, _ in enumerate(session.pages("", "sub", ALL, ("cn",), 10, whole)):
            stop.wait(0.1)
            session.renew(Deadline.after(1.0))
            if number == 14:  # 1.5 s, 300 kB
                raise SessionError(FAR_ENOUGH)

    kind = session_with(paging(*[entry(padding=1000)] * 20), 1.0, use)

    assert kind is FAR_ENOUGH.kind


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(
            result(5, 0)
            + sequence(0xA0, sequence(0x30, sequence(0x04, PAGED), sequence(0x04, b"\x30\x00"))),
            id="no cookie",
        ),
        pytest.param(
            result(5, 0) + sequence(0xA0, sequence(0x30, sequence(0x04, PAGED))), id="no value"
        ),
        pytest.param(result(5, 0) + sequence(0xA0, sequence(0x30)), id="no name"),
    ],
)
def test_a_control_that_is_none_is_no_ldap(answer: bytes) -> None:
    def behave(peer: socket.socket) -> None:
        peer.recv(4096)
        peer.sendall(message(1, answer))
        peer.recv(4096)

    assert session_with(behave, 2.0, drain) is FailureKind.PROTOCOL
