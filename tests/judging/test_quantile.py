"""The median and the quantile of a few numbers."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaphealth.judging.quantile import median, quantile

NUMBERS = st.lists(st.floats(0, 1e6), min_size=1, max_size=20)


@given(NUMBERS)
def test_the_median_is_that_of_the_standard_library(numbers: list[float]) -> None:
    assert median(numbers) == statistics.median(numbers)


@given(NUMBERS, st.floats(0.01, 1.0))
def test_a_quantile_is_one_of_the_numbers_and_the_share_does_not_exceed_it(
    numbers: list[float], share: float
) -> None:
    found = quantile(numbers, share)

    assert found in numbers
    assert sum(each <= found for each in numbers) >= share * len(numbers)
    assert sum(each < found for each in numbers) < share * len(numbers)


@pytest.mark.parametrize(
    ("share", "expected"), [(0.0, 1), (0.25, 1), (0.5, 2), (0.51, 3), (1.0, 4)]
)
def test_quantiles_of_four(share: float, expected: float) -> None:
    assert quantile([4, 2, 1, 3], share) == expected
