"""What a server had and has no more is told from its own reads, and only when they prove it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from ldaphealth.csn import CSN, Regression, Vector, VectorRead, never_shown, regressed

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(sid: int, after: int) -> CSN:
    return CSN(START + timedelta(seconds=after), 0, sid, 0)


def vector(written: dict[int, int]) -> Vector:
    return {sid: at(sid, after) for sid, after in written.items()}


VECTORS = st.dictionaries(st.integers(1, 3), st.integers(0, 4)).map(vector)
READS = st.lists(VECTORS, min_size=1).map(
    lambda seen: [VectorRead(10.0 * n, each, 1.0) for n, each in enumerate(seen, 1)]
)


def test_no_read_tells_nothing() -> None:
    assert regressed([]) == {}


def test_each_server_id_is_told_with_the_newest_that_it_had() -> None:
    reads = [
        VectorRead(0, vector({1: 5, 2: 5, 3: 5})),
        VectorRead(1, vector({1: 9, 2: 5, 3: 5})),
        VectorRead(2, vector({1: 7, 3: 6})),
    ]

    assert regressed(reads) == {
        1: Regression(at(1, 9), at(1, 7)),
        2: Regression(at(2, 5), None),
    }
    assert regressed(reads, retired={1, 2}) == {}


def test_two_reads_side_by_side_prove_no_order() -> None:
    new, old = vector({1: 9}), vector({1: 0})

    assert regressed([VectorRead(5.0, new, 5.0), VectorRead(6.0, old, 1.5)]) == {}
    assert regressed([VectorRead(5.0, new, 5.0), VectorRead(6.0, old, 1.0)]) != {}


@given(READS)
def test_it_is_told_exactly_while_something_that_was_there_is_lacking(
    reads: list[VectorRead],
) -> None:
    now = reads[-1].vector
    had = {
        sid: max(each.vector[sid] for each in reads if sid in each.vector)
        for sid in {sid for each in reads for sid in each.vector}
    }

    assert regressed(reads) == {
        sid: Regression(position, now.get(sid))
        for sid, position in had.items()
        if sid not in now or now[sid] < position
    }


@given(READS)
def test_who_only_grows_never_regressed(reads: list[VectorRead]) -> None:
    grown: list[VectorRead] = []
    for read in reads:
        before = grown[-1].vector if grown else {}
        newest = {
            sid: max(of[sid] for of in (before, read.vector) if sid in of)
            for sid in {*before, *read.vector}
        }
        grown.append(VectorRead(read.seen_at_seconds, newest, read.duration_seconds))

    assert regressed(grown) == {}


@given(READS, VECTORS)
def test_once_it_caught_up_nothing_is_told(reads: list[VectorRead], more: Vector) -> None:
    newest = {
        sid: max(of[sid] for of in (more, *(each.vector for each in reads)) if sid in of)
        for sid in {*more, *(sid for each in reads for sid in each.vector)}
    }

    assert regressed([*reads, VectorRead(10**6, newest)]) == {}


@given(READS)
def test_never_shown_is_what_no_read_shows(reads: list[VectorRead]) -> None:
    never = never_shown(reads, {1, 2, 3})

    assert all(not never & each.vector.keys() for each in reads)
    assert {1, 2, 3} - never == {sid for each in reads for sid in each.vector}
