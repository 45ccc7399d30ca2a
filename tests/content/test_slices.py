"""Slices cover every entryUUID once, whatever the tree is like, and end whatever servers say."""

from __future__ import annotations

import random
from bisect import bisect_left, bisect_right
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaphealth.content.slices import END, Cursor, Slice

uuids = st.one_of(
    st.integers(0, END - 1),
    st.integers(0, 3000),  # as if written by hand, all of them alike
    st.integers(END - 3000, END - 1),
)


def covered(entries: list[int], wanted: int, size_limit: int = 10**9) -> list[Slice]:
    """Return the slices that a comparison of a server with these entries makes."""
    entries = sorted(entries)
    cursor = Cursor(wanted)
    done: list[Slice] = []
    for _ in range(10_000):
        if cursor.is_done:
            return done
        here = cursor.slice
        found = entries[bisect_left(entries, here.low) : bisect_right(entries, here.high)]
        most = min(size_limit, 2 * cursor.wanted)
        if len(found) > most:
            cursor = cursor.narrower(found[: most + 1])
        else:
            done.append(here)
            cursor = cursor.after(len(found))
    pytest.fail("no end")


@given(st.sets(uuids, max_size=300), st.integers(1, 50), st.integers(1, 20))
def test_every_entry_uuid_is_in_one_slice(entries: set[int], wanted: int, size_limit: int) -> None:
    slices = covered([*entries], wanted, size_limit)

    assert slices[0].low == 0
    assert slices[-1].high == END - 1
    assert all(a.high + 1 == b.low for a, b in pairwise(slices))


@pytest.mark.parametrize("spread", [END, 1 << 40, 200_000], ids=["random", "alike", "counted"])
def test_there_are_about_as_many_slices_as_wanted(spread: int) -> None:
    picked = random.Random(1)  # noqa: S311
    entries = [picked.randrange(spread) for _ in range(100_000)]

    assert len(covered(entries, wanted=5_000)) < 100_000 / 5_000 * 2 + 40


def test_a_server_that_sends_one_entry_without_end_is_found_out_soon() -> None:
    cursor = Cursor(wanted=10)
    for _ in range(128):
        if cursor.width > 1:
            cursor = cursor.narrower([cursor.slice.high] * 21)

    assert cursor.width == 1
    with pytest.raises(ValueError, match="several entries"):
        cursor.narrower([cursor.low] * 21)


def test_the_filter_names_both_ends() -> None:
    assert Slice(0, 255).filter_text == (
        "(&(entryUUID>=00000000-0000-0000-0000-000000000000)"
        "(entryUUID<=00000000-0000-0000-0000-0000000000ff))"
    )
