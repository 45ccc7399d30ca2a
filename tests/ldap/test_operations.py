"""Every way to a real server carries every operation, and each operation tells its time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from demo.certificates import Authority
from demo.node import Node
from demo.tree import CANARIES, CHECK_DN, PEOPLE, PEOPLE_COUNT, person
from ldaphealth.ldap.deadline import SessionError
from ldaphealth.ldap.session import Session
from ldaphealth.model import Tls
from tests.ldap.opening import CHECK, bound, session_with

pytestmark = pytest.mark.slapd

CANARY = f"cn=session,{CANARIES}"
CANARY_ENTRY = {
    "objectClass": ("applicationProcess",),
    "cn": ("session",),
    "description": ("nothing written yet",),
}


@dataclass(frozen=True)
class Way:
    """How to get to the node."""

    uri: Callable[[Node], str | None]
    start_tls: bool = False
    encrypted: bool = False


WAYS = {
    "ldap": Way(lambda node: node.uri),
    "ldaps": Way(lambda node: node.ldaps_uri, encrypted=True),
    "StartTLS": Way(lambda node: node.uri, start_tls=True, encrypted=True),
    "ldapi": Way(lambda node: node.ldapi_uri),
    "IPv6": Way(lambda node: node.ipv6_uri),
    "StartTLS over IPv6": Way(lambda node: node.ipv6_uri, start_tls=True, encrypted=True),
}


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Way:
    """Return each way in turn."""
    return WAYS[request.param]


@pytest.fixture
def address(way: Way, node: Node) -> str:
    """Return the URL of the node on this way."""
    uri = way.uri(node)
    if uri is None:
        pytest.skip("this machine has no IPv6")
    return uri


@pytest.fixture
def settings(way: Way, authority: Authority) -> Tls:
    """Return the TLS settings of this way."""
    return Tls(start_tls=way.start_tls, ca_file=str(authority.file))


@pytest.fixture
def session(address: str, settings: Tls) -> Iterator[Session]:
    """Return a session of the check account."""
    with bound(address, CHECK, settings) as session:
        yield session


@pytest.fixture
def canary(node: Node) -> Iterator[str]:
    """Return an entry that the check account may change."""
    lines = (f"{name}: {value}" for name, values in CANARY_ENTRY.items() for value in values)
    node.root.add(CANARY, "\n".join(lines))
    yield CANARY
    node.root.delete(CANARY)


def test_connecting_encrypts_exactly_when_asked(way: Way, address: str, settings: Tls) -> None:
    session = session_with(address, CHECK, settings)
    session.connect()

    assert session.alive
    assert ("tls" in session.timings) is way.encrypted
    session.close()


def test_a_bound_session_may_read_what_nobody_else_may(session: Session) -> None:
    assert session.read(CHECK_DN, ["cn"]) == {"cn": ("ldaphealth",)}


def test_a_search_finds_what_is_there_with_the_attributes_asked_for(session: Session) -> None:
    found = dict(session.search(PEOPLE, "one", "(objectClass=inetOrgPerson)", ["SN", "cn"]))

    assert len(found) == PEOPLE_COUNT
    assert found[person(7)] == {"sn": ("7",), "cn": ("User 7",)}


@pytest.mark.parametrize(
    ("scope", "count"), [("base", 1), ("one", PEOPLE_COUNT), ("sub", PEOPLE_COUNT + 1)]
)
def test_a_search_goes_as_deep_as_its_scope(session: Session, scope: str, count: int) -> None:
    assert len(session.search(PEOPLE, scope, "(objectClass=*)", ["1.1"])) == count  # type: ignore[arg-type]


def test_a_search_matches_text_with_the_signs_of_filters_literally(
    session: Session, canary: str
) -> None:
    text = r"(a*b)\c ü"
    session.replace(canary, "description", text)

    exact = session.search(CANARIES, "one", r"(description=\28a\2ab\29\5cc ü)", ["1.1"])
    other = session.search(CANARIES, "one", r"(description=\28a\2a\2a)", ["1.1"])
    assert (len(exact), len(other)) == (1, 0)


def test_a_comparison_tells_whether_the_value_is_held(session: Session) -> None:
    assert session.compare(person(3), "sn", "3")
    assert not session.compare(person(3), "sn", "4")


def test_replacing_leaves_the_new_value_only(session: Session, canary: str, node: Node) -> None:
    session.replace(canary, "description", "first")
    session.replace(canary, "description", "zweiter Wert: ä")

    assert session.read(canary, ["description"]) == {"description": ("zweiter Wert: ä",)}
    assert node.root.read(canary, "description") == ("zweiter Wert: ä",)


def test_a_change_tells_in_the_same_answer_what_it_left(
    session: Session, canary: str, node: Node
) -> None:
    found = session.replace_and_read(canary, "description", "ü 1", ["description", "entryCSN"])

    assert found == {
        "description": ("ü 1",),
        "entrycsn": node.root.read(canary, "entryCSN"),
    }
    assert "search" not in session.timings


def test_a_change_that_is_refused_tells_nothing(session: Session) -> None:
    with pytest.raises(SessionError) as caught:
        session.replace_and_read(person(1), "description", "x", ["entryCSN"])

    assert caught.value.failure.result_code == "insufficientAccessRights"
    assert session.alive


def test_an_added_entry_is_there(session: Session, node: Node) -> None:
    session.add(CANARY, CANARY_ENTRY)
    try:
        assert node.root.read(CANARY, "description") == ("nothing written yet",)
    finally:
        node.root.delete(CANARY)


def test_after_unbind_the_session_is_over(session: Session) -> None:
    session.unbind()

    assert not session.alive


def test_each_operation_tells_its_time(way: Way, address: str, settings: Tls, canary: str) -> None:
    session = session_with(address, CHECK, settings)
    session.connect()
    session.bind()
    session.search(PEOPLE, "one", "(objectClass=*)", ["cn"])
    session.compare(person(1), "sn", "1")
    session.replace(canary, "description", "timed")
    session.unbind()

    steps = ["resolve", "connect", *(["start_tls"] if way.start_tls else [])]
    steps += ["tls"] if way.encrypted else []
    steps += ["bind", "search", "compare", "modify", "unbind"]
    assert list(session.timings) == steps
    assert all(0 < seconds < session.deadline.seconds for seconds in session.timings.values())


def test_the_times_of_the_same_operation_add_up_until_they_are_taken(session: Session) -> None:
    session.timings.clear()
    session.compare(person(1), "sn", "1")
    once = session.timings["compare"]
    session.compare(person(1), "sn", "1")

    assert session.timings["compare"] > once
    assert list(session.timings) == ["compare"]
