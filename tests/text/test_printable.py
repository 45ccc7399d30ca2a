"""Text from a server stays on its line, is bounded, and cannot move the cursor."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ldaphealth.text.printable import printable

ANY_TEXT = st.text(st.characters(codec=None), max_size=300)


@given(ANY_TEXT, st.integers(1, 250))
def test_the_result_is_one_printable_bounded_line(text: str, limit: int) -> None:
    shown = printable(text, limit)

    assert shown.isprintable()
    assert len(shown) <= limit


@given(ANY_TEXT)
def test_harmless_text_stays_as_it_is_and_so_does_the_result(text: str) -> None:
    once = printable(text)

    assert printable(once) == once


def test_escapes_are_visible() -> None:
    assert printable("a\x1b[31m\n\u202eb") == r"a\x1b[31m\n\u202eb"


def test_a_mebibyte_costs_no_more_than_its_beginning() -> None:
    assert printable("x" * (1 << 20)) == "x" * 399 + "…"
