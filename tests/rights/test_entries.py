"""The entries of accounts and containers."""

from __future__ import annotations

import pytest

from ldaphealth.rights.entries import account_entries, container_entries, entry_of, with_class

SUFFIX = "dc=example,dc=com"


def test_an_account_comes_after_the_entries_above_it_and_is_locked() -> None:
    dn = f"cn=ldaphealth,ou=services,o=Inner,{SUFFIX}"

    assert [*account_entries(dn, SUFFIX)] == [
        (f"o=Inner,{SUFFIX}", {"objectClass": ("organization",), "o": ("Inner",)}),
        (
            f"ou=services,o=Inner,{SUFFIX}",
            {"objectClass": ("organizationalUnit",), "ou": ("services",)},
        ),
        (
            dn,
            {
                "objectClass": ("applicationProcess", "simpleSecurityObject"),
                "cn": ("ldaphealth",),
                "userPassword": ("{CRYPT}!",),
            },
        ),
    ]


def test_nothing_is_above_an_entry_at_the_suffix_or_elsewhere() -> None:
    for dn in (f"ou=ldaphealth,{SUFFIX}", "ou=ldaphealth,o=elsewhere"):
        assert [each for each, _ in container_entries(dn, SUFFIX)] == [dn]


@pytest.mark.parametrize(
    ("dn", "attributes"),
    [
        ("uid=a,o=x", {"objectClass": ("account",), "uid": ("a",)}),
        ("cn=a\\2C b\\+c,o=x", {"objectClass": ("applicationProcess",), "cn": ("a, b+c",)}),
        ("cn=Zo\\C3\\AB,o=x", {"objectClass": ("applicationProcess",), "cn": ("Zoë",)}),
        ("sn=a,o=x", {"objectClass": ("applicationProcess",), "sn": ("a",), "cn": ("a",)}),
    ],
)
def test_an_entry_has_the_class_of_its_rdn(dn: str, attributes: dict[str, tuple[str, ...]]) -> None:
    assert entry_of(dn) == attributes


def test_another_class_takes_the_place_of_the_one_that_is_system_only() -> None:
    entries = [("cn=a", entry_of("cn=a")), ("ou=b", entry_of("ou=b"))]

    assert with_class(entries, "device") == {
        "cn=a": {"objectClass": ("device",), "cn": ("a",)},
        "ou=b": {"objectClass": ("organizationalUnit",), "ou": ("b",)},
    }
    assert with_class(entries, "") == dict(entries)
