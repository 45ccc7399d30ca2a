"""Operations are drawn by their shares, the same for the same seed, and can be sent."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ldaphealth.ldap.names import AttributeName
from ldaphealth.ldap.search_filter import encode
from ldaphealth.workload.draw import by_hand, draw, drawable
from ldaphealth.workload.shape import OperationShape, ValueSource, Workload

SEARCH = OperationShape(
    name="search-uid-1",
    operation="search",
    base="dc=example,dc=org",
    scope="sub",
    filter="(&(uid={uid})(|(cn={cn}*)(sn=*{cn}*{cn})))",
    attributes=("cn", "mail"),
    count=900,
    share=0.9,
    results={0: 900},
)
COMPARE = OperationShape(
    name="compare-mail-1",
    operation="compare",
    base="{person}",
    attribute=AttributeName("mail"),
    value="{mail}",
    count=100,
    share=0.1,
    results={6: 100},
)
WORKLOAD = Workload(
    form=1,
    operations=1000,
    sources={name: ValueSource(values=("x",)) for name in ("uid", "cn", "person", "mail")},
    shapes=(SEARCH, COMPARE),
)
VALUES = {
    "uid": ["anna", "ben"],
    "cn": ["Anna B", "Ben C"],
    "person": ["uid=anna,dc=example,dc=org", "uid=ben,dc=example,dc=org"],
    "mail": ["anna@example.org", "{uid}"],
}


def test_shapes_are_drawn_by_their_shares() -> None:
    found = Counter(each.shape.name for each in draw(WORKLOAD, VALUES, "seed", 10_000))

    assert found["search-uid-1"] / 10_000 == pytest.approx(0.9, abs=0.02)


def test_the_same_seed_draws_the_same_operations() -> None:
    assert draw(WORKLOAD, VALUES, "c 17", 50) == draw(WORKLOAD, VALUES, "c 17", 50)
    assert draw(WORKLOAD, VALUES, "c 17", 50) != draw(WORKLOAD, VALUES, "c 18", 50)


def test_every_value_is_drawn() -> None:
    drawn = draw(WORKLOAD, VALUES, "seed", 500)

    assert {each.base for each in drawn} == {SEARCH.base, *VALUES["person"]}
    assert {each.value for each in drawn} == {"", *VALUES["mail"]}


def test_a_shape_without_values_is_not_drawn() -> None:
    drawn = draw(WORKLOAD, VALUES | {"person": []}, "seed", 100)

    assert {each.shape.name for each in drawn} == {"search-uid-1"}
    assert drawable(WORKLOAD, {}) == ()
    assert draw(WORKLOAD, {}, "seed", 100) == ()


TEXTS = st.text(st.characters(codec="utf-8"))


@given(TEXTS, TEXTS)
def test_every_drawn_filter_can_be_sent(uid: str, cn: str) -> None:
    searches = replace(WORKLOAD, shapes=(SEARCH,))
    (drawn,) = draw(searches, {"uid": [uid], "cn": [cn]}, "seed", 1)

    assert encode(drawn.filter)


def test_an_operation_can_be_repeated_by_hand() -> None:
    shown = {by_hand(each, "ldap://ldap1") for each in draw(WORKLOAD, VALUES, "seed", 500)}

    search = "ldapsearch -x -H ldap://ldap1 -b dc=example,dc=org -s sub"
    compare = "ldapcompare -x -H ldap://ldap1 uid=ben,dc=example,dc=org mail:anna@example.org"
    assert f"{search} '(&(uid=anna)(|(cn=Be*)(sn=*n* C)))' cn mail" in shown
    assert compare in shown
