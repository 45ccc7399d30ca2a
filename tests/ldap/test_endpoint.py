"""LDAP URLs are read as RFC 4516 writes them, and what we cannot use is refused in words."""

from __future__ import annotations

import pytest

from ldaphealth.ldap.endpoint import Endpoint, parse_uri


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("ldap://ldap1.example.com", Endpoint("ldap", "ldap1.example.com", 389)),
        ("LDAPS://h", Endpoint("ldaps", "h", 636)),
        ("pldap://h", Endpoint("pldap", "h", 389)),
        ("pldaps://h", Endpoint("pldaps", "h", 636)),
        ("ldap://h:3389/", Endpoint("ldap", "h", 3389)),
        ("ldap://[::1]:3389", Endpoint("ldap", "::1", 3389)),
        ("ldap://[fe80::1%eth0]", Endpoint("ldap", "fe80::1%eth0", 389)),
        ("ldap://127.1", Endpoint("ldap", "127.1", 389)),
        ("ldap://ldap_1.example.com.", Endpoint("ldap", "ldap_1.example.com.", 389)),
        ("ldap://bücher.example", Endpoint("ldap", "bücher.example", 389)),
        (f"ldapi://%2F{'a' * 106}", Endpoint("ldapi", "/" + "a" * 106, 0)),
        ("ldapi://%2Frun%2Fslapd%2Fldapi", Endpoint("ldapi", "/run/slapd/ldapi", 0)),
    ],
)
def test_a_right_url(uri: str, expected: Endpoint) -> None:
    assert parse_uri(uri) == expected


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("http://h", "not an LDAP URL"),
        ("ldap1.example.com", "not an LDAP URL"),
        ("ldap://", "has no host"),
        ("ldap://h:99999", "not an LDAP URL"),
        ("ldap://h:0", "port 0"),
        ("ldap://user:secret@h", "credentials"),
        ("ldap://h/dc=example,dc=com", "more than a host and port"),
        ("ldapi://socket", "has no socket"),
        ("ldap://[::1", "not an LDAP URL"),
        ("ldap://224.0.0.1", "not the address of one host"),
        ("ldap://255.255.255.255", "not the address of one host"),
        ("ldap://[ff02::1]", "not the address of one host"),
        ("ldap://[fe80::1]", r"needs its interface, as in \[fe80::1%eth0\]"),
        ("ldap://10.0.0.300", "not an IPv4 address"),
        ("ldap://ldap1..example.com", "empty, or too long"),
        (f"ldap://{'a' * 64}.example.com", "empty, or too long"),
        (f"ldapi://%2F{'a' * 107}", "more than 107 bytes"),
    ],
)
def test_a_wrong_url_says_what_is_wrong(uri: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_uri(uri)
