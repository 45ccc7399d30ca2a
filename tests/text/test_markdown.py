"""Text of servers stays text in Markdown: what a real parser makes of it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from ldaphealth.text.markdown import cell, code_span, fenced, inline, table
from ldaphealth.text.printable import printable

HOSTILE = [
    "<script>alert(1)</script>",
    "![x](http://evil.example/x.png)",
    "[click](javascript:alert(1))",
    "**bold** _it_ ~~gone~~",
    "a`b``c```d",
    "`unbalanced <b>",
    "| a | b |",
    "&lt;b&gt; &#60;",
    "http://evil.example www.evil.example root@evil.example",
    "@admin #123 !7 ~label $5 :smile:",
    "\\`<img src=x onerror=alert(1)>\\`",
    "# heading",
    "a\nb\r\n\n# c\x1b[31m\u202e",
    "\\",
    "`` ` ``",
    "x\\|y|z",
    "<!-- ",
    "[ref]: http://evil.example",
    "$$\\frac{1}{2}$$",
    "- [ ] task",
    "a  b\u00a0c\u2028d",
]
PARSER = MarkdownIt("gfm-like", {"linkify": False}).enable("table")
ALLOWED = {"inline", "text", "code_inline", "paragraph_open", "paragraph_close", "softbreak"}
TEXTS = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=80), st.text("`|\\<>[]()*_~&#@!: ab"))


def kinds(source: str) -> set[str]:
    """Return the kinds of all tokens, also of those within a line."""
    tokens = PARSER.parse(source)
    return {each.type for token in tokens for each in [token, *(token.children or ())]}


def shown(source: str) -> str:
    """Return what a reader sees, without the difference between one space and several."""
    tokens = PARSER.parse(source)
    parts = (
        "".join(each.content for each in token.children or ())
        for token in tokens
        if token.type == "inline"
    )
    return " ".join(" ".join(parts).split())


@given(TEXTS)
def test_any_text_is_a_paragraph_of_plain_words_and_code(text: str) -> None:
    assert kinds(f"Why: {inline(text)}") <= ALLOWED
    assert kinds(f"Why: {code_span(text)}") <= ALLOWED


@given(TEXTS)
def test_no_address_is_left_that_a_dialect_makes_a_link_of(text: str) -> None:
    for token in PARSER.parse(f"Why: {inline(text)}"):
        plain = " ".join(each.content for each in token.children or () if each.type == "text")
        assert not re.search(r"://|www\.|@|#\w", plain)


@given(st.one_of(st.sampled_from(HOSTILE), st.text(max_size=80)))
def test_a_reader_sees_the_text(text: str) -> None:
    expected = f"Why: {printable(text)}".replace("`", "")

    assert shown(f"Why: {inline(text)}").replace("`", "").split() == expected.split() or (
        "`" in text
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "no answer within 2 s to the bind as cn=a,dc=b",
            "no answer within 2 s to the bind as cn=a,dc=b",
        ),
        ("the URI ldap://h:389 is wrong", "the URI `ldap://h:389` is wrong"),
        ("run `ldapsearch -x`, then", "run `ldapsearch -x`, then"),
        ("<b> *x* and", "`<b> *x*` and"),
        ("interval_seconds is 5", "`interval_seconds` is 5"),
        ("`a``b`", "`a` `b`"),
        ("a ` b", "a `` ` `` b"),
        ("(file /tmp/a_b); it", "(file `/tmp/a_b`); it"),
        ("see f(a_b), <b>.", "see `f(a_b), <b>`."),
        ("", ""),
    ],
)
def test_the_source_can_be_read(text: str, expected: str) -> None:
    assert inline(text) == expected


@given(TEXTS)
def test_a_table_keeps_its_columns(text: str) -> None:
    lines = table(("A", "B"), [(cell(text), cell("x")), (cell("y"), cell(text))], 1)
    tokens = PARSER.parse("\n".join(lines))

    assert sum(each.type == "td_open" for each in tokens) == 4
    found = {each.type for token in tokens for each in token.children or ()}
    assert found <= {"text", "code_inline"}


@given(st.lists(TEXTS, max_size=5))
def test_a_fence_is_longer_than_what_is_in_it(lines: list[str]) -> None:
    tokens = PARSER.parse("\n".join([*fenced(lines), "", "after"]))

    assert [each.type for each in tokens] == [
        "fence",
        "paragraph_open",
        "inline",
        "paragraph_close",
    ]
    assert tokens[0].content.split("\n")[:-1] == [printable(each) for each in lines]
