"""What a real server answers beside success: each has its kind, and referrals lead nowhere."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from demo.node import DATABASE, Node
from demo.tree import CHECK_DN, PEOPLE, PEOPLE_COUNT, SUFFIX, person
from ldaphealth.ldap.codec import Scope
from ldaphealth.ldap.deadline import SessionError
from ldaphealth.ldap.session import Count, Session
from ldaphealth.model import Failure, FailureKind
from tests.hostile.servers import listening
from tests.ldap.opening import ANONYMOUS, CHECK, bound

pytestmark = pytest.mark.slapd

REFERRAL = f"ou=elsewhere,{SUFFIX}"


@pytest.fixture
def session(node: Node) -> Iterator[Session]:
    """Return a session of the check account."""
    with bound(node.uri, CHECK) as session:
        yield session


def failure_of_search(session: Session, base: str, scope: Scope = "base", size: int = 0) -> Failure:
    with pytest.raises(SessionError) as caught:
        session.search(base, scope, "(objectClass=*)", ["cn"], size)
    return caught.value.failure


# No such entry


def test_a_base_that_is_not_there_is_told_by_its_result_code(session: Session) -> None:
    failure = failure_of_search(session, f"ou=nowhere,{SUFFIX}")

    assert (failure.kind, failure.result_code, failure.is_local) == (
        FailureKind.RESULT,
        "noSuchObject",
        False,
    )
    assert "ou=nowhere" in failure.detail


def test_reading_what_is_hidden_from_us_is_told_as_not_there(node: Node) -> None:
    node.hide_base(PEOPLE)
    try:
        with bound(node.uri, CHECK) as session, pytest.raises(SessionError) as caught:
            session.read(PEOPLE, ["ou"])
    finally:
        node.heal()

    assert caught.value.failure.result_code == "noSuchObject"


def test_what_anonymous_may_not_read_is_a_result_not_a_lost_session(node: Node) -> None:
    with bound(node.uri, ANONYMOUS) as session:
        with pytest.raises(SessionError) as caught:
            session.read(SUFFIX, ["contextCSN"])
        assert session.alive

    assert caught.value.failure.kind is FailureKind.RESULT


def test_after_a_refused_operation_the_session_goes_on(session: Session) -> None:
    failure_of_search(session, f"ou=nowhere,{SUFFIX}")

    assert session.alive
    assert session.compare(person(1), "sn", "1")


def test_a_comparison_with_an_attribute_that_is_not_held_is_a_failure(session: Session) -> None:
    with pytest.raises(SessionError) as caught:
        session.compare(person(1), "telephoneNumber", "1")

    assert caught.value.failure.result_code == "noSuchAttribute"


def test_a_write_without_the_right_to_is_a_failure(session: Session) -> None:
    with pytest.raises(SessionError) as caught:
        session.replace(person(1), "description", "not allowed")

    assert caught.value.failure.kind is FailureKind.RESULT
    assert caught.value.failure.result_code == "insufficientAccessRights"


def test_a_write_to_a_server_that_is_read_only_is_a_failure(node: Node) -> None:
    node.read_only()
    try:
        with bound(node.uri, CHECK) as session, pytest.raises(SessionError) as caught:
            session.add(f"cn=x,ou=ldaphealth,{SUFFIX}", {"objectClass": ["applicationProcess"]})
    finally:
        node.heal()

    assert caught.value.failure.result_code == "unwillingToPerform"


def test_a_filter_that_is_none_is_our_trouble_and_sends_nothing(session: Session) -> None:
    with pytest.raises(SessionError) as caught:
        session.search(PEOPLE, "one", "(cn=", ["cn"])

    assert (caught.value.failure.kind, caught.value.failure.is_local) == (FailureKind.BUG, True)
    assert session.compare(person(1), "sn", "1")


# Referrals


@dataclass
class Elsewhere:
    """The server to which the referral points; `visits` counts who followed it."""

    uri: str = ""
    visits: list[object] = field(default_factory=list)

    def receive(self, peer: socket.socket) -> None:
        """Note that somebody has come."""
        self.visits.append(peer.getpeername())


@pytest.fixture
def elsewhere(node: Node) -> Iterator[Elsewhere]:
    """Put a referral entry (RFC 3296) into the data that points to a server that listens."""
    trap = Elsewhere()
    with listening(trap.receive) as port:
        trap.uri = f"ldap://127.0.0.1:{port}/{REFERRAL}"
        node.root.add(
            REFERRAL,
            f"objectClass: referral\nobjectClass: extensibleObject\nou: elsewhere\nref: {trap.uri}",
        )
        yield trap
        # Only with the control ManageDsaIT slapd deletes the entry itself; its tool needs none.
        node.tool("modify", "-b", SUFFIX, ldif=f"dn: {REFERRAL}\nchangetype: delete\n")


@pytest.mark.parametrize("base", [REFERRAL, f"ou=deeper,{REFERRAL}"], ids=["at it", "below it"])
def test_a_search_at_or_below_a_referral_is_refused_and_not_followed(
    session: Session, elsewhere: Elsewhere, base: str
) -> None:
    failure = failure_of_search(session, base)

    assert (failure.kind, failure.result_code) == (FailureKind.RESULT, "referral")
    assert not elsewhere.visits


def test_other_operations_on_a_referral_are_refused_and_not_followed(
    session: Session, elsewhere: Elsewhere
) -> None:
    for operation in (
        lambda: session.compare(REFERRAL, "ou", "elsewhere"),
        lambda: session.replace(REFERRAL, "ou", "x"),
    ):
        with pytest.raises(SessionError) as caught:
            operation()
        assert caught.value.failure.result_code == "referral"
    assert not elsewhere.visits


def test_a_search_over_a_referral_gives_the_entries_without_what_is_elsewhere(
    session: Session, elsewhere: Elsewhere
) -> None:
    found = session.search(SUFFIX, "sub", "(|(objectClass=inetOrgPerson)(ou=*))", ["1.1"])

    names = [dn for dn, _ in found]
    assert len([dn for dn in names if dn.endswith(PEOPLE)]) == PEOPLE_COUNT + 1
    assert REFERRAL not in names
    assert not elsewhere.visits


# Limits


@contextlib.contextmanager
def limited(node: Node, entries: int) -> Iterator[None]:
    """Let slapd send the check account no more entries than that."""
    change = f'replace: olcLimits\nolcLimits: dn.exact="{CHECK_DN}" size={{}}'
    node.root.modify(DATABASE, change.format(entries))
    try:
        yield
    finally:
        node.root.modify(DATABASE, change.format("unlimited"))


def test_our_size_limit_gives_that_many_entries_and_no_failure(session: Session) -> None:
    assert len(session.search(PEOPLE, "one", "(objectClass=*)", ["cn"], 5)) == 5


@pytest.mark.parametrize(
    ("size_limit", "expected"),
    [
        (5, Count(5, limited=True)),
        (PEOPLE_COUNT, Count(PEOPLE_COUNT, limited=False)),
        (200, Count(PEOPLE_COUNT, limited=False)),
    ],
)
def test_entries_are_counted_up_to_our_limit(
    session: Session, size_limit: int, expected: Count
) -> None:
    assert session.count(PEOPLE, "one", "(objectClass=*)", size_limit) == expected


def test_entries_are_counted_up_to_the_limit_of_the_server(node: Node) -> None:
    with limited(node, 7), bound(node.uri, CHECK) as session:
        assert session.count(PEOPLE, "one", "(objectClass=*)", 5) == Count(5, limited=True)
        counted = session.count(PEOPLE, "one", "(objectClass=*)", 200)
        assert counted == Count(7, limited=True, limited_by_server=True)
        assert session.compare(person(1), "sn", "1")


def test_a_count_that_the_server_refuses_is_a_failure(node: Node) -> None:
    limit = f'replace: olcLimits\nolcLimits: dn.exact="{CHECK_DN}" size.unchecked=disabled'
    with limited(node, 7), bound(node.uri, CHECK) as session:
        node.root.modify(DATABASE, limit)
        with pytest.raises(SessionError) as caught:
            session.count(PEOPLE, "one", "(objectClass=*)", 5)

    assert caught.value.failure.result_code == "adminLimitExceeded"


def test_a_size_limit_that_is_not_reached_changes_nothing(session: Session) -> None:
    found = session.search(PEOPLE, "one", "(objectClass=*)", ["cn"], PEOPLE_COUNT + 1)

    assert len(found) == PEOPLE_COUNT


def test_a_size_limit_that_is_just_reached_is_no_failure(session: Session) -> None:
    found = session.search(PEOPLE, "one", "(objectClass=*)", ["cn"], PEOPLE_COUNT)

    assert len(found) == PEOPLE_COUNT


def test_the_limit_of_the_server_is_a_failure_when_we_set_none(
    session: Session, node: Node
) -> None:
    with limited(node, 3):
        failure = failure_of_search(session, PEOPLE, "one")

    assert (failure.kind, failure.result_code) == (FailureKind.RESULT, "sizeLimitExceeded")


def test_the_limit_of_the_server_is_a_failure_when_ours_is_higher(
    session: Session, node: Node
) -> None:
    with limited(node, 3):
        failure = failure_of_search(session, PEOPLE, "one", 10)

    assert failure.kind is FailureKind.RESULT
    assert failure.result_code in {"sizeLimitExceeded", "adminLimitExceeded"}


def test_our_limit_below_that_of_the_server_is_no_failure(session: Session, node: Node) -> None:
    with limited(node, 3):
        assert len(session.search(PEOPLE, "one", "(objectClass=*)", ["cn"], 2)) == 2
