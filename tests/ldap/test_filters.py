"""A filter is refused or sent as ldapsearch(1) does, and encoded as ldap3 encodes it."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ldap3.operation.search import compile_filter, parse_filter
from pyasn1.codec.ber.encoder import encode as encode_with_pyasn1

from demo.node import Node
from demo.tree import CHECK_DN, CHECK_PASSWORD, SUFFIX
from ldaphealth.ldap.search_filter import MAX_DEPTH, assertion, attributes_of, both, encode
from tests.ldap.opening import CHECK, bound

BAD_FILTER = 249  # exit status of ldapsearch, LDAP_FILTER_ERROR in one octet

GOOD = [
    "uid=user1",
    "(uid=user1)",
    "(&)",
    "(|)",
    "(!(|))",
    "(|(&)(uid=user1))",
    "(&(objectClass=*)(|(dc=example)(!(dc=b))))",
    "( & (dc=example) (objectClass=dcObject) )",
    "( dc=example)",
    "(dc=)",
    "(dc=*)",
    "(dc=ex*)",
    "(dc=*ple)",
    "(dc=e*am*e)",
    "(dc>=a)",
    "(dc<=z)",
    "(dc~=example)",
    "(o=a=b)",
    "(o=a\\2ab)",
    "(o=\\c3\\bc)",
    "(o=ü)",
    "(o;lang-de=x)",
    "(0.9.2342.19200300.100.1.25=example)",
    "(dc:=example)",
    "(dc:dn:=example)",
    "(dc:caseIgnoreIA5Match:=example)",
    "(:dn:caseIgnoreIA5Match:=example)",
    "(:2.5.13.5:=example)",
]
BAD = [
    "(uid=u1",
    "uid=u1)",
    "(uid=u1))",
    "(uid)",
    "()",
    "((uid=u1))",
    "(a=b)(c=d)",
    "(&(a=b)",
    "(&a=b)",
    "(!a=b)",
    "(!)",
    "(!(a=b)(c=d))",
    "(=x)",
    "(:=x)",
    "(uid>u1)",
    "(uid>=*)",
    "(uid=**)",
    "(uid=a(b)",
    "(uid=a\\zz)",
    "(uid=a\\)",
    "(uid=a\\,b)",
    "(full name=x)",
    "(.uid=x)",
]


def ldapsearch(node: Node, filter_text: str) -> tuple[int, int]:
    """Return the exit status and the number of entries."""
    account = ("-x", "-D", CHECK_DN, "-w", CHECK_PASSWORD)
    done = subprocess.run(
        ["ldapsearch", "-LLL", "-H", node.uri, *account, "-b", SUFFIX, filter_text, "1.1"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.returncode, done.stdout.count("dn: ")


@pytest.mark.slapd
@pytest.mark.parametrize("filter_text", GOOD)
def test_a_filter_finds_what_ldapsearch_finds(node: Node, filter_text: str) -> None:
    with bound(node.uri, CHECK) as session:
        found = session.search(SUFFIX, "sub", filter_text, ["1.1"])

    assert ldapsearch(node, filter_text) == (0, len(found))


@pytest.mark.slapd
@pytest.mark.parametrize("filter_text", BAD)
def test_what_ldapsearch_does_not_send_is_refused(node: Node, filter_text: str) -> None:
    assert ldapsearch(node, filter_text)[0] == BAD_FILTER
    with pytest.raises(ValueError, match=r"is not a filter \(RFC 4515\)"):
        encode(filter_text)


@pytest.mark.parametrize(
    ("filter_text", "words"),
    [
        ("", "'' is not an attribute, a comparison and a value, such as uid=u1"),
        ("(uid=u1", r"the end is where '\)' must be"),
        ("(a=b)(c=d)", r"it ends before '\(c=d\)'; several are combined by \(&...\)"),
        ("(!(a=b)(c=d))", "! is followed by 2 filters; it takes one"),
        ("(a=**)", r"one \* stands for any text"),
        (r"(a=\x)", r"a backslash in .* must be written as \\5c"),
        ("uid", "'uid' is not an attribute, a comparison and a value"),
        ("(!" * MAX_DEPTH + "(a=b)" + ")" * MAX_DEPTH, "nested more than 100 deep"),
        ("(a=\ud800)", "surrogates not allowed"),
    ],
)
def test_the_message_says_what_is_wrong(filter_text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        encode(filter_text)


def test_the_deepest_filter_is_encoded() -> None:
    depth = MAX_DEPTH - 1
    assert encode("(!" * depth + "(a=b)" + ")" * depth)


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Zs", "Cc")), max_size=8)
ITEMS = st.builds(assertion, st.sampled_from(["cn", "2.5.4.3", "cn;lang-de"]), TEXTS)
FILTERS = st.recursive(
    ITEMS,
    lambda inner: (
        st.builds("(!{})".format, inner)
        | st.builds(
            lambda sign, parts: f"({sign}{''.join(parts)})",
            st.sampled_from("&|"),
            st.lists(inner, min_size=1, max_size=3),
        )
    ),
    max_leaves=8,
)


@given(FILTERS)
def test_a_filter_is_encoded_as_by_ldap3(filter_text: str) -> None:
    tree = parse_filter(filter_text, None, True, True, None, False)

    assert encode(filter_text) == encode_with_pyasn1(compile_filter(tree.elements[0]))


@given(TEXTS)
def test_any_value_is_sent_as_it_is(value: str) -> None:
    encoded = encode(assertion("cn", value))

    assert encoded.endswith(value.encode() if value else b"\x87\x02cn")


@given(FILTERS, ITEMS)
def test_two_filters_are_combined(first: str, second: str) -> None:
    bare = first.removeprefix("(").removesuffix(")") if first.startswith("(cn") else first

    assert encode(both(bare, second)) == encode(f"(&{first}{second})")


@pytest.mark.parametrize(
    ("filter_text", "attributes"),
    [
        ("uid=a", ("uid",)),
        ("(&(cn=a b)(|(CN=*)(!(sn>=c))))", ("cn", "sn")),
        ("( & ( cn;lang-de=a ) (uid~=b)(o<=c))", ("cn", "uid", "o")),
        ("(cn:dn:caseExactMatch:=a)", ("cn",)),
        ("(:caseExactMatch:=a)", ()),
        ("(2.5.4.3=\\28sn=a\\29)", ("2.5.4.3",)),
        ("(cn=sn=a)", ("cn",)),
        ("(&)", ()),
    ],
)
def test_the_attributes_of_a_filter(filter_text: str, attributes: tuple[str, ...]) -> None:
    assert attributes_of(filter_text) == attributes


@given(FILTERS)
def test_the_attributes_of_a_filter_are_sent(filter_text: str) -> None:
    encoded = encode(filter_text)

    assert all(each.encode() in encoded for each in attributes_of(filter_text))
