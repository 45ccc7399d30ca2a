"""Attributes and values are found as a real server compares them, under whatever names."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest

from demo.node import DATABASE, Node
from demo.tree import CHECK_DN, PEOPLE, person
from ldaphealth.checks.search import Params, observe
from ldaphealth.ldap.deadline import SessionError
from ldaphealth.ldap.names import DN, AttributeName
from ldaphealth.ldap.search_filter import Filter
from ldaphealth.ldap.session import Session
from tests.ldap.opening import CHECK, bound

pytestmark = pytest.mark.slapd

HOLDER = f"uid=holder,{PEOPLE}"
LDIF = f"""\
objectClass: inetOrgPerson
uid: holder
cn: Holder (of a*b)
cn;lang-de: Inhaber
sn: Of Many
mail: Some.One@Example.COM
manager: {person(1)}
telephoneNumber: +49 30 123-456
jpegPhoto:: {base64.b64encode(b"a photo").decode()}"""


@pytest.fixture
def session(node: Node) -> Iterator[Session]:
    node.root.add(HOLDER, LDIF)
    with bound(node.uri, CHECK) as session:
        yield session
    node.root.delete(HOLDER)


HELD = [
    ("cn", ""),
    ("CN", "holder (of a*b)"),
    ("commonName", "Holder (of a*b)"),
    ("2.5.4.3", "Holder  (OF A*B)"),
    ("name", "Of Many"),
    ("cn;lang-de", "inhaber"),
    ("cn", "Inhaber"),
    ("mail", "some.one@example.com"),
    ("rfc822Mailbox", ""),
    ("manager", "UID=User1, OU=People,DC=Example,DC=Com"),
    ("telephoneNumber", "+4930123456"),
    ("jpegPhoto", ""),
    ("objectClass", "person"),
]
NOT_HELD = [("title", ""), ("cn", "Other"), ("cn", "Holder*"), ("cn;lang-fr", ""), ("noSuch", "")]


@pytest.mark.parametrize(("attribute", "value"), [*HELD, *NOT_HELD])
def test_the_server_compares_what_the_check_expects(
    session: Session, attribute: str, value: str
) -> None:
    params = Params(base=DN(HOLDER), attribute=AttributeName(attribute), value=value)
    facts = observe(session, params)

    assert (facts.entries, facts.matching) == (1, int((attribute, value) in HELD))


def test_the_filter_of_the_check_and_its_value_must_match_the_same_entry(session: Session) -> None:
    filter_text, attribute = Filter("uid=user1"), AttributeName("mail")
    params = Params(base=PEOPLE, scope="sub", filter=filter_text, attribute=attribute)

    assert observe(session, params).entries == 1
    assert observe(session, params).matching == 0


@pytest.mark.parametrize(
    ("attribute", "values"),
    [
        ("commonName", {"Holder (of a*b)", "Inhaber"}),
        ("2.5.4.4", {"Of Many"}),
        ("name", {"Holder (of a*b)", "Inhaber", "Of Many"}),
        ("CN;lang-de", {"Inhaber"}),
        ("rfc822Mailbox", {"Some.One@Example.COM"}),
        ("title", set()),
    ],
)
def test_the_only_attribute_requested_is_under_its_name(
    session: Session, attribute: str, values: set[str]
) -> None:
    entry = session.read(HOLDER, (attribute,))

    assert set(entry.get(attribute, ())) == set(entry.get(attribute.upper(), ())) == values
    assert (attribute in entry) is bool(values)


def test_of_several_attributes_the_names_are_those_of_the_server_in_any_case(
    session: Session,
) -> None:
    entry = session.read(HOLDER, ("MAIL", "telephoneNumber", "cn;lang-de"))

    assert {*entry} == {"mail", "telephonenumber", "cn;lang-de"}
    assert entry["Mail"] == entry["mail"] == ("Some.One@Example.COM",)
    assert entry["telephoneNumber"] == ("+49 30 123-456",)
    assert entry["cn"] == ("Inhaber",)
    with pytest.raises(KeyError):
        entry["sn"]


def test_the_right_to_search_is_enough_and_without_it_nothing_is_found(
    session: Session, node: Node
) -> None:
    params = Params(base=DN(HOLDER), attribute=AttributeName("mail"))
    for right, found in (("=s", 1), ("=c", 0)):
        rule = f'{{0}}to attrs=mail by dn.exact="{CHECK_DN}" {right} by * break'
        node.root.modify(DATABASE, f"add: olcAccess\nolcAccess: {rule}")
        try:
            assert observe(session, params).matching == found
        finally:
            node.root.modify(DATABASE, "delete: olcAccess\nolcAccess: {0}")


def test_a_compare_finds_them_too(session: Session) -> None:
    assert session.compare(HOLDER, "commonName", "HOLDER (of a*b)")
    assert session.compare(HOLDER, "manager", "UID=User1,OU=People,DC=Example,DC=Com")
    with pytest.raises(SessionError):
        session.compare(HOLDER, "title", "none")
