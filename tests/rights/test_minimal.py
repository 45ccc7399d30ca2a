"""Fewer rights that allow the same; the first that matches is the strongest."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaphealth.model import is_in_context
from ldaphealth.rights.right import ENTRY, EVERY, AccessLevel, Right, Scope, by_context, minimal

SUFFIX = "dc=x"
TREE = (SUFFIX, f"ou=a,{SUFFIX}", f"cn=1,ou=a,{SUFFIX}", f"cn=2,cn=1,ou=a,{SUFFIX}")
SCOPES: tuple[Scope, ...] = ("base", "one", "sub", "subordinate")
NAMES = (ENTRY, "cn", "sn")
RIGHTS = st.builds(
    Right,
    account=st.sampled_from(["cn=a", "cn=b"]),
    base=st.sampled_from(TREE),
    scope=st.sampled_from(SCOPES),
    filter=st.sampled_from(["", "(cn=1)"]),
    attributes=st.lists(st.sampled_from([*NAMES, EVERY]), min_size=1, unique=True).map(tuple),
    access=st.sampled_from(AccessLevel),
)


def is_in_scope(dn: str, right: Right) -> bool:
    match right.scope:
        case "base":
            return dn == right.base
        case "one":
            return dn.partition(",")[2] == right.base
        case "sub":
            return is_in_context(dn, right.base)
        case "subordinate":
            return is_in_context(dn, right.base) and dn != right.base


def first_that_matches(rights: Sequence[Right], account: str, dn: str, name: str) -> int:
    """Return the access that slapd gives: that of the first rule for this entry and attribute."""
    for right in rights:
        is_for = right.account == account and bool({name, EVERY} & {*right.attributes})
        is_filtered = right.filter and not dn.startswith(("cn=1,", "cn=2,"))
        if is_for and is_in_scope(dn, right) and not is_filtered:
            return right.access
    return 0


@given(st.lists(RIGHTS, max_size=8))
def test_the_first_that_matches_gives_the_strongest_access(rights: list[Right]) -> None:
    found = minimal(rights)

    for account in ("cn=a", "cn=b"):
        for dn in TREE:
            for name in NAMES:
                every = [first_that_matches([each], account, dn, name) for each in rights]
                strongest = max(every, default=0)
                assert first_that_matches(found, account, dn, name) == strongest


@given(st.lists(RIGHTS, max_size=8))
def test_it_is_stable(rights: list[Right]) -> None:
    once = minimal(rights)

    assert {*minimal(once)} == {*once}


def right(base: str, scope: Scope = "base", *names: str) -> Right:
    return Right(
        account="cn=a",
        base=base,
        scope=scope,
        attributes=names or ("cn",),
        access=AccessLevel.READ,
    )


def test_what_another_right_includes_is_left_out() -> None:
    wide, narrow = right(SUFFIX, "sub", "cn", "sn"), right(f"ou=A, {SUFFIX}", "one", "CN")

    assert minimal([narrow, wide]) == [wide]


@pytest.mark.parametrize(
    ("base", "context"),
    [
        ("ou=a,dc=x", "dc=x"),
        ("ou=a,ou=b,DC=x", "ou=b,dc=x"),
        ("cn=Databases,cn=Monitor", "cn=Monitor"),
        ("o=elsewhere", "o=elsewhere"),
    ],
)
def test_a_right_belongs_to_the_nearest_naming_context(base: str, context: str) -> None:
    found = by_context([right(base)], ["dc=x", "ou=b,dc=x", "cn=Monitor"])

    assert [*found] == [context]
