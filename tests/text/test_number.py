"""Numbers: without exponents for programs, with two digits for people."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaphealth.text.number import rounded_up


@given(st.floats(1e-6, 1e3))
def test_rounding_up_adds_at_most_a_tenth(number: float) -> None:
    assert number * (1 - 1e-5) <= rounded_up(number) <= number * 1.1 + 1e-9


@pytest.mark.parametrize(
    ("number", "rounded"),
    [(0.123, 0.13), (0.2, 0.2), (0.0009, 0.0009), (7, 7), (10.1, 11), (0, 0), (-1, 0)],
)
def test_two_digits_at_most(number: float, rounded: float) -> None:
    assert rounded_up(number) == pytest.approx(rounded)
