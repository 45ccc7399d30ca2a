"""Lines of LDIF (RFC 2849)."""

from __future__ import annotations

from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaphealth.text.ldif import ldif_entry, ldif_line, ldif_modification

AS_THEY_ARE = ["", "x", "a b", "{0}to * by * none", "dc=example,dc=com"]
ENCODED = [" x", "x ", ":x", "<x", "Zoë", "a\nb", "a\rb", "a\0b"]


@pytest.mark.parametrize("value", AS_THEY_ARE)
def test_a_safe_value_is_written_as_it_is(value: str) -> None:
    assert ldif_line("cn", value) == f"cn: {value}"


@pytest.mark.parametrize("value", ENCODED)
def test_another_value_is_in_base64(value: str) -> None:
    name, encoded = ldif_line("cn", value).split(":: ")

    assert (name, b64decode(encoded).decode()) == ("cn", value)


@given(st.text())
def test_it_is_one_line_of_ascii(value: str) -> None:
    line = ldif_line("cn", value)

    assert line.isascii()
    assert line.splitlines() == [line] or line.split("\n") == [line]


def test_an_entry_ends_with_an_empty_line() -> None:
    lines = ldif_entry("cn=a", {"objectClass": ("top", "device"), "cn": ("a",)})

    assert [*lines] == ["dn: cn=a", "objectClass: top", "objectClass: device", "cn: a", ""]


def test_a_change_adds_several_attributes() -> None:
    lines = ldif_modification("cn=a", {"x": ["1", "2"], "y": ["3"]})

    assert [*lines] == [
        "dn: cn=a",
        "changetype: modify",
        *("add: x", "x: 1", "x: 2"),
        "-",
        *("add: y", "y: 3"),
        "",
    ]
