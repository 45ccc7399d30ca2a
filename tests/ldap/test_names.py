"""DNs, names of attributes and names to bind as are checked as servers check them."""

from __future__ import annotations

import pytest

from demo.node import Node
from ldaphealth.ldap.deadline import SessionError
from ldaphealth.ldap.names import check_bind_name, is_attribute, parse_attribute_name, parse_dn
from tests.ldap.opening import CHECK, bound

GOOD_DNS = [
    "dc=example,dc=com",
    "dc=example, dc=com",
    " dc = example , dc=com ",
    "dc=example;dc=com",
    "cn=a+sn=b,dc=com",
    r"o=Example\, Inc.,c=DE",
    'o="Example, Inc.",c=DE',
    r"cn=\20a\ ",
    r"cn=a\2cb",
    r"cn=\c3\bc",
    "cn=ü",
    "cn=a=b",
    "cn=a#b",
    "2.5.4.3=x",
]
BAD_DNS = [
    "example.com",
    "example",
    "=x",
    "cn=",
    "cn=a,",
    ",cn=a",
    "cn=a,,cn=b",
    "cn=a b,c d=e",
    "cn=#zz",
    "cn=a\\",
    r"cn=a\zz",
    'cn=a"b',
    "cn=<a>",
    "user@example.com",
    "dc=example,com",
    "dc:example",
]


def is_dn(text: str) -> bool:
    try:
        parse_dn(text)
    except ValueError:
        return False
    return True


def takes(node: Node, dn: str) -> bool:
    """Return whether slapd takes it for a DN; nothing is there."""
    with bound(node.uri, CHECK) as session:
        try:
            session.search(dn, "base", "(objectClass=*)", ["1.1"])
        except SessionError as error:
            return error.failure.result_code != "invalidDNSyntax"
    return True


@pytest.mark.slapd
@pytest.mark.parametrize("dn", [*GOOD_DNS, *BAD_DNS])
def test_a_dn_is_taken_where_slapd_takes_it(node: Node, dn: str) -> None:
    assert (is_dn(dn), takes(node, dn)) == (dn in GOOD_DNS, dn in GOOD_DNS)


def test_the_dn_of_the_root_dse_is_empty() -> None:
    assert parse_dn("") == ""


@pytest.mark.parametrize("name", ["cn=a,dc=b", "user@example.com", "EXAMPLE\\user"])
def test_names_to_bind_as_are_dns_and_those_of_active_directory(name: str) -> None:
    check_bind_name(name)  # no error


@pytest.mark.parametrize("name", ["user", "@example.com", "a@b@c", "cn"])
def test_other_names_to_bind_as_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is not a DN"):
        check_bind_name(name)


@pytest.mark.parametrize("name", ["cn", "CN", "cn;lang-de", "userCertificate;binary", "2.5.4.3"])
def test_names_of_attributes_are_taken(name: str) -> None:
    assert is_attribute(name)
    assert parse_attribute_name(name) == name


@pytest.mark.parametrize("name", ["*", "+", "1.1", "@person", "full name", "cn;", "1", "-a", "cn="])
def test_what_names_no_attribute_or_several_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is not the name of an attribute"):
        parse_attribute_name(name)
