"""Who is called behind, isolated or split, and that nobody is without proof."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaphealth.csn import CSN, Sighting, Standing, Vector, assess

START = datetime(2026, 1, 1, tzinfo=UTC)


def vector(**seconds: float) -> Vector:
    """Return a vector: s1=5 is a write of server ID 1 five seconds after the start."""
    return {
        int(sid[1:]): CSN(START + timedelta(seconds=after), 0, int(sid[1:]), 0)
        for sid, after in seconds.items()
    }


def reads(**servers: list[tuple[float, Vector]]) -> dict[str, list[Sighting]]:
    return {name: [Sighting(at, seen) for at, seen in seen] for name, seen in servers.items()}


def summary(standings: dict[str, Standing]) -> dict[str, str]:
    told = {}
    for server, standing in standings.items():
        words = [
            f"{word} {max(times.values()):g}"
            for word, times in (
                ("behind", standing.behind_seconds),
                ("isolated", standing.isolated_seconds),
                ("split", standing.split_seconds),
            )
            if times
        ]
        if words:
            told[server] = ", ".join(words)
    return told


NEW, OLD = vector(s1=100.0), vector(s1=0.0)
MINE, THEIRS = vector(s1=100.0, s2=0.0), vector(s1=0.0, s2=100.0)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(reads(a=[(0, NEW)]), {}, id="one server is never late"),
        pytest.param(reads(a=[(0, OLD)], b=[(1, OLD)]), {}, id="all level"),
        pytest.param(
            reads(a=[(0, OLD)], b=[(1, NEW)], c=[(2, NEW)]),
            {},
            id="read before the write: no proof",
        ),
        pytest.param(
            reads(a=[(0, NEW)], b=[(1, NEW)], c=[(2, NEW)], d=[(9, OLD)]),
            {"d": "behind 9"},
            id="most have what one lacks",
        ),
        pytest.param(
            reads(a=[(0, NEW)], b=[(1, OLD)], c=[(2, OLD)], d=[(3, OLD)]),
            {"a": "isolated 3"},
            id="one has what most lack",
        ),
        pytest.param(
            reads(a=[(0, MINE), (5, MINE)], b=[(1, THEIRS)], c=[(2, THEIRS)], d=[(3, THEIRS)]),
            {"a": "behind 4, isolated 3"},
            id="one provider cut off both ways",
        ),
        pytest.param(
            reads(a=[(0, MINE), (9, MINE)], b=[(0, MINE), (9, MINE)])
            | reads(c=[(1, THEIRS), (9, THEIRS)], d=[(1, THEIRS), (9, THEIRS)]),
            {"a": "split 9", "b": "split 9", "c": "split 9", "d": "split 9"},
            id="two against two",
        ),
        pytest.param(
            reads(a=[(0, NEW)], b=[(0, NEW)], c=[(1, OLD)], d=[(2, OLD)]),
            {"c": "behind 1", "d": "behind 2"},
            id="two lack what two have",
        ),
        pytest.param(
            reads(a=[(0, NEW), (2, NEW)], b=[(1, OLD), (3, NEW)]), {}, id="caught up meanwhile"
        ),
        pytest.param(
            reads(a=[(0, vector(s1=0.0, s2=0.0))], b=[(4, OLD)], c=[(0, vector(s1=0.0, s2=0.0))]),
            {"b": "behind 4"},
            id="a server ID that is missing",
        ),
    ],
)
def test_standing(seen: dict[str, list[Sighting]], expected: dict[str, str]) -> None:
    assert summary(assess(seen)) == expected


def test_the_gap_after_an_idle_day_is_no_lateness() -> None:
    day = vector(s1=86_400.0)
    standings = assess(reads(a=[(0, OLD), (10, day)], b=[(0, OLD), (10.5, OLD), (11, day)]))
    before = assess(reads(a=[(0, OLD), (10, day)], b=[(0, OLD), (10.5, OLD)]))["b"]

    assert summary(standings) == {}
    assert (before.csn_gap_seconds[1], before.behind_seconds[1]) == (86_400.0, 0.5)


def test_a_retired_server_id_is_ignored() -> None:
    assert summary(assess(reads(a=[(0, NEW)], b=[(9, OLD)]), retired=frozenset({1}))) == {}


VECTORS = st.dictionaries(st.sampled_from(["s1", "s2"]), st.sampled_from([0.0, 1.0, 2.0])).map(
    lambda seconds: vector(**seconds)
)
READS = st.dictionaries(
    st.sampled_from("abcd"),
    st.lists(st.tuples(st.integers(0, 9).map(float), VECTORS), min_size=1, max_size=3).map(
        lambda seen: [Sighting(at, v) for at, v in sorted(seen, key=lambda each: each[0])]
    ),
)


@given(READS, st.permutations("abcd"))
def test_permuting_servers_permutes_the_result(
    seen: dict[str, list[Sighting]], order: list[str]
) -> None:
    moved = {name: seen[name] for name in order if name in seen}

    assert assess(moved) == assess(seen)


@given(READS)
def test_with_all_vectors_equal_nobody_is_anything(seen: dict[str, list[Sighting]]) -> None:
    level = {name: [Sighting(s.seen_at_seconds, NEW) for s in all_] for name, all_ in seen.items()}

    assert summary(assess(level)) == {}


@given(READS)
def test_who_lacks_nothing_is_never_behind(seen: dict[str, list[Sighting]]) -> None:
    newest = vector(s1=2.0, s2=2.0)
    with_best = seen | {"best": [Sighting(99.0, newest)]}

    assert assess(with_best)["best"].behind_seconds == {}
