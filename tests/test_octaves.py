"""Durations by octave: what is counted where, and snapshots that do not change."""

from __future__ import annotations

from math import floor, log2, nextafter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaphealth.octaves import LEAST, GrowingOctaves, octave_of, octaves_of

numbers = st.lists(st.floats(0, 1e6), max_size=50)


@pytest.mark.parametrize("octave", range(LEAST, 12))
def test_an_octave_has_its_lower_bound_and_not_its_upper_one(octave: int) -> None:
    assert octave_of(2.0**octave) == octave
    assert octave_of(nextafter(2.0 ** (octave + 1), 0.0)) == octave


@pytest.mark.parametrize("number", [0.0, -0.0, 5e-324, 1e-9, 2.0**LEAST])
def test_what_is_shorter_than_a_microsecond_is_in_the_least_octave(number: float) -> None:
    assert octave_of(number) == LEAST


@given(st.floats(1e-6, 1e6).filter(lambda number: log2(number) % 1))
def test_an_octave_is_the_logarithm_rounded_down(number: float) -> None:
    assert octave_of(number) == floor(log2(number))


@given(numbers, numbers)
def test_growing_ones_are_those_of_their_numbers_and_snapshots_do_not_change(
    first: list[float], later: list[float]
) -> None:
    growing = GrowingOctaves()
    for each in first:
        growing.add(each)
    before = growing.snapshot()
    for each in later:
        growing.add(each)

    assert before == octaves_of(first)
    assert growing.snapshot() == octaves_of([*first, *later])
    assert sum(before.counts.values()) == len(first)
