"""Templates of filters have the structure, the attributes and object classes, and no value."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaphealth.workload.filter_template import (
    filled,
    filter_template,
    is_template,
    placeholders,
    undefined_attributes,
)

TEMPLATES = {
    b"(uid=anna)": b"(uid={uid})",
    b"(uid=)": b"(uid={uid})",
    b"(uid=*)": b"(uid=*)",
    b"(uid=an*na*x)": b"(uid={uid}*{uid}*{uid})",
    b"(uid=*na*)": b"(uid=*{uid}*)",
    b"(uidNumber>=5)": b"(uidNumber>={uidNumber})",
    b"(uidNumber<=5)": b"(uidNumber<={uidNumber})",
    b"(sn~=x)": b"(sn~={sn})",
    b"(cn;lang-de=x)": b"(cn;lang-de={cn})",
    b"(cn:caseExactMatch:=a\\29\\2A\\5C)": b"(cn:caseExactMatch:={cn})",
    b"(ou:dn:=people)": b"(ou:dn:={ou})",
    b"(2.5.4.3=x)": b"(2.5.4.3={2.5.4.3})",
    b"(objectClass=inetOrgPerson)": b"(objectClass=inetOrgPerson)",
    b"(objectClass=not a class)": b"(objectClass={objectClass})",
    b"(?objectClass=noClass)": b"(?objectClass={objectClass})",
    b"(member=uid=a,ou=people)": b"(member={member})",
    b"(&(objectClass=person)(|(uid=a)(!(mail=b))))": (
        b"(&(objectClass=person)(|(uid={uid})(!(mail={mail}))))"
    ),
    b"(?foo=bar)": b"(?foo={foo})",
    b"(&(?=true)(uid=a))": b"(&(&)(uid={uid}))",
    b"(cn={uid})": b"(cn={cn})",
}


@pytest.mark.parametrize(("logged", "template"), TEMPLATES.items())
def test_a_template_has_no_values(logged: bytes, template: bytes) -> None:
    assert filter_template(logged) == template
    assert is_template(template)


@pytest.mark.parametrize(
    "logged",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"(uid=anna", id="cut off"),
        pytest.param(b"(&(uid=anna)", id="cut off after an item"),
        pytest.param(b"(uid=anna)secret", id="text behind it"),
        pytest.param(b"secret(uid=anna)", id="text before it"),
        pytest.param(b"(&secret(uid=anna))", id="text in it"),
        pytest.param(b"(uid=a)(uid=b)", id="two filters"),
        pytest.param(b"(uid =secret)", id="a space in an attribute"),
        pytest.param(b"(my secret=*)", id="no attribute"),
        pytest.param(b"({secret}=x)", id="braces in an attribute"),
        pytest.param(b"(?=undefined)", id="slapd did not log it"),
        pytest.param(b"(:caseExactMatch:=x)", id="any attribute"),
        pytest.param(b"(uid=" + b"a" * 1024 + b"...", id="shortened by 389"),
        pytest.param(b"(" * 5000, id="nested deeply"),
    ],
)
def test_what_is_not_understood_as_a_whole_has_no_template(logged: bytes) -> None:
    assert not is_template(filter_template(logged))


SECRET = "s3cret"


@given(
    st.text(alphabet="()&|!=*?:;{}\\ ausn.-", max_size=12),
    st.text(alphabet="()&|!=*?:;{}\\ ausn.-", max_size=12),
)
def test_no_text_around_a_value_lets_it_into_a_template(before: str, behind: str) -> None:
    """A value that stands where an attribute does is one: that part of the filter is its name."""
    template = filter_template(f"(&(uid={before}'{SECRET}'{behind})(sn=x))".encode())

    assert not is_template(template) or f"'{SECRET}'".encode() not in template


def test_lists_of_values_have_few_lengths() -> None:
    templates = {
        filter_template(b"(|" + b"".join(b"(uid=u%d)" % n for n in range(length)) + b")")
        for length in range(1, 200)
    }

    assert len(templates) == 4 + 6  # 1 to 4, and powers of two up to 256


def test_values_are_returned_without_escapes_if_they_are_wanted() -> None:
    values: list[tuple[bytes, bytes]] = []
    filter_template(b"(&(cn=\\C3\\81nna\\2a)(mail=*)(sn=a*))", values)

    assert values == [(b"cn", "Ánna*".encode())]


def test_attributes_that_slapd_marked_are_known() -> None:
    assert undefined_attributes(b"(&(?Foo={Foo})(uid={uid}))") == {b"foo"}


def test_values_are_escaped_when_a_template_is_filled() -> None:
    template = "(&(cn={cn})(uid={uid-2})(sn={cn}*))"

    assert placeholders(template) == ("cn", "uid-2")
    assert filled(template, {"cn": "a(b)*\\", "uid-2": "u"}) == (
        r"(&(cn=a\28b\29\2a\5c)(uid=u)(sn=a\28b*))"
    )


@pytest.mark.parametrize(
    ("template", "value", "filter_text"),
    [
        ("(cn={cn}*)", "Anna", "(cn=An*)"),
        ("(cn=*{cn})", "Anna", "(cn=*na)"),
        ("(cn={cn}*{cn})", "Anna", "(cn=An*na)"),
        ("(cn=*{cn}*)", "Annabel", "(cn=*nab*)"),
        ("(cn={cn}*{cn})", "A", "(cn=A)"),
        ("(cn={cn}*)", "", "(cn=)"),
    ],
)
def test_a_value_is_cut_for_substrings_that_match_it(
    template: str, value: str, filter_text: str
) -> None:
    assert filled(template, {"cn": value}) == filter_text
