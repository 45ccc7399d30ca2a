"""The hint has the most similar name, or all names."""

from __future__ import annotations

import pytest

from ldaphealth.text.suggestion import suggestion


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        ("ldap", ["ldap1", "web"], "; did you mean ldap1?"),
        ("x", ["ldap1", "web"], "; there are ldap1, web"),
        ("x", [], ""),
    ],
)
def test_the_most_similar_name_is_offered(name: str, known: list[str], hint: str) -> None:
    assert suggestion(name, iter(known)) == hint
