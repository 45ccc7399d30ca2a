"""Templates of DNs keep containers, and have a * for whatever may be a client's value."""

from __future__ import annotations

import pytest

from ldaphealth.workload.base_template import (
    MOST_PARENTS,
    MOST_SIBLINGS,
    BaseTemplates,
    constant_part,
)

TEMPLATES = {
    b"": "",
    b"dc=example,dc=org": "dc=example,dc=org",
    b"UID=Anna, OU=People,DC=Example,DC=org": "uid=*,ou=people,dc=example,dc=org",
    b"cn=a+uid=b,ou=x,dc=c": "cn=*+uid=*,ou=x,dc=c",
    b'cn="a,b"+uid=b\\,c,ou=x\\2cy,dc=c': "cn=*+uid=*,ou=x\\2cy,dc=c",
    b"cn=users,cn=accounts,dc=ipa": "cn=users,cn=accounts,dc=ipa",
    b"uid=anna,cn=users,cn=accounts,dc=ipa": "uid=*,cn=users,cn=accounts,dc=ipa",
    b"cn=secret,ou=groups,dc=org": "cn=*,ou=groups,dc=org",
    b"ou=mine,uid=anna,dc=org": "ou=mine,uid=*,dc=org",
    b"o=a+ou=b,dc=org": "o=*+ou=*,dc=org",
    b"cn=Monitor": "cn=monitor",
    b"cn=Subschema": "cn=subschema",
    "ou=Größe,dc=org".encode(): "ou=größe,dc=org",
}


@pytest.mark.parametrize(("logged", "template"), TEMPLATES.items())
def test_only_containers_keep_their_value(logged: bytes, template: str) -> None:
    assert BaseTemplates().template(logged) == template
    assert BaseTemplates().final(template) == template


@pytest.mark.parametrize("logged", [b"anna", b"uid=", b"uid=a\\", b"\xff=a", b"uid=a,,dc=b"])
def test_what_is_no_dn_has_no_template(logged: bytes) -> None:
    with pytest.raises(ValueError, match=r"DN|decode"):
        BaseTemplates().template(logged)


def test_many_siblings_are_entries_and_no_containers() -> None:
    bases = BaseTemplates()
    first = bases.template(b"ou=people,o=c0,dc=hosting")
    for number in range(MOST_SIBLINGS + 1):
        bases.template(b"ou=people,o=c%d,dc=hosting" % number)

    assert first == "ou=people,o=c0,dc=hosting"
    assert bases.final(first) == "ou=people,o=*,dc=hosting"
    assert bases.template(b"ou=groups,o=c0,dc=hosting") == "ou=groups,o=*,dc=hosting"


def test_siblings_are_counted_in_a_bounded_memory() -> None:
    bases = BaseTemplates()
    for number in range(MOST_PARENTS):
        bases.template(b"ou=%d,ou=%d,ou=%d,dc=o" % (number % 7, number % 11, number % 13))
        bases.template(b"uid=%d,cn=%d,dc=o" % (number, number))
        bases.template(b"dc=%d" % number)

    assert len(bases._siblings) <= MOST_PARENTS


@pytest.mark.parametrize(
    ("template", "part"),
    [
        ("dc=example,dc=org", "dc=example,dc=org"),
        ("uid=*,ou=people,dc=org", "ou=people,dc=org"),
        ("ou=people,o=*,dc=hosting", "dc=hosting"),
        ("cn=*+uid=*,dc=org", "dc=org"),
        ("dc=*", ""),
        ("", ""),
    ],
)
def test_the_dn_below_which_all_of_a_template_are(template: str, part: str) -> None:
    assert constant_part(template) == part
