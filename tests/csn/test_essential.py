"""The few reads that are saved say the same as all reads."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from ldaphealth.csn import (
    CSN,
    MAJORITY,
    Reference,
    ReferenceMode,
    Terms,
    VectorRead,
    assess,
    essential,
    never_shown,
    regressed,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
SIDS = (1, 2, 3)
VECTORS = st.dictionaries(st.sampled_from(SIDS), st.integers(0, 4)).map(
    lambda written: {
        sid: CSN(START + timedelta(seconds=after), 0, sid, 0) for sid, after in written.items()
    }
)
READS = st.dictionaries(
    st.sampled_from("abcd"),
    st.lists(st.tuples(st.integers(0, 9), VECTORS, st.integers(0, 3)), max_size=6).map(
        lambda seen: [
            VectorRead(float(at), vector, float(took))
            for at, vector, took in sorted(seen, key=lambda each: each[0])
        ]
    ),
)
REFERENCES = st.sampled_from(
    [MAJORITY, Reference(ReferenceMode.NEWEST), Reference(ReferenceMode.SERVER, "a")]
)


@given(READS, REFERENCES)
def test_they_give_every_server_the_same_standing(
    reads: dict[str, list[VectorRead]], reference: Reference
) -> None:
    assert assess(essential(reads), Terms(reference=reference)) == assess(
        reads, Terms(reference=reference)
    )


@given(READS)
def test_they_show_the_same_of_the_server_itself(reads: dict[str, list[VectorRead]]) -> None:
    for server, few in essential(reads).items():
        assert never_shown(few, SIDS) == never_shown(reads[server], SIDS)
        if all(each.duration_seconds == 0 for each in reads[server]):
            assert regressed(few) == regressed(reads[server])
        assert regressed(few).keys() <= regressed(reads[server]).keys()


@given(READS)
def test_they_are_some_of_all_and_the_same_few_again(reads: dict[str, list[VectorRead]]) -> None:
    few = essential(reads)

    assert essential(few) == few
    for server, kept in few.items():
        places = [next(n for n, each in enumerate(reads[server]) if each is one) for one in kept]
        assert places == sorted(set(places))
        assert kept[-1] is reads[server][-1]


def test_of_many_level_reads_one_is_kept_and_of_a_late_server_since_when() -> None:
    def read(at: int, after: int) -> VectorRead:
        return VectorRead(float(at), {1: CSN(START + timedelta(seconds=after), 0, 1, 0)})

    level = {name: [read(at, 0) for at in range(100)] for name in "abc"}
    late = level | {
        name: [*level[name], *(read(at, at) for at in range(100, 200))] for name in "ab"
    }

    assert {name: len(kept) for name, kept in essential(level).items()} == {"a": 1, "b": 1, "c": 1}
    assert [each.seen_at_seconds for each in essential(late)["a"]] == [99, 100, 199]
    assert len(essential(late)["c"]) == 1
