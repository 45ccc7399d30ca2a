"""The output for programs is one ASCII line, valid in every locale."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaphealth.text.ascii_line import ascii_line


@given(st.text(st.characters(codec=None), max_size=300), st.integers(1, 250))
def test_the_result_is_one_bounded_line_of_printable_ascii(text: str, limit: int) -> None:
    line = ascii_line(text, limit)

    assert line.isascii()
    assert line.isprintable()
    assert len(line) <= limit


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        pytest.param("bind.timeout", 12, "bind.timeout", id="harmless text stays as it is"),
        pytest.param("für", 20, r"f\xfcr", id="other letters become escapes"),
        pytest.param("a\n\x1b[2J", 20, r"a\n\x1b[2J", id="control characters become escapes"),
        pytest.param("x" * 30, 10, "xxxxxxx...", id="what is cut ends in three full stops"),
        pytest.param("x" * 30, 2, "..", id="even where three do not fit"),
        pytest.param("üüü", 10, r"\xfc\xf...", id="escapes count as they are printed"),
    ],
)
def test_text_becomes_a_line(text: str, limit: int, expected: str) -> None:
    assert ascii_line(text, limit) == expected
