"""What ldapsearch and slapcat print becomes entries."""

from __future__ import annotations

from demo.client import parse


def test_values_keep_their_order_colons_and_text_that_is_encoded_in_base64() -> None:
    ldif = "dn: cn=a\ncn: a\nseeAlso: x: y\ncn:: w6Q=\n\ndn: cn=b\ndescription:\n\n"

    assert parse(ldif) == [
        {"dn": ("cn=a",), "cn": ("a", "ä"), "seeAlso": ("x: y",)},
        {"dn": ("cn=b",), "description": ("",)},
    ]


def test_no_output_is_no_entries() -> None:
    assert parse("") == parse("\n") == []
