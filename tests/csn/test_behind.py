"""Who is called behind, isolated or split, and that nobody is without proof."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaphealth.csn import (
    CSN,
    MAJORITY,
    Reference,
    ReferenceMode,
    Standing,
    Terms,
    Vector,
    VectorRead,
    assess,
    standing_of,
)

START = datetime(2026, 1, 1, tzinfo=UTC)


def vector(**seconds: float) -> Vector:
    """Return a vector: s1=5 is a write of server ID 1 five seconds after the start."""
    return {
        int(sid[1:]): CSN(START + timedelta(seconds=after), 0, int(sid[1:]), 0)
        for sid, after in seconds.items()
    }


def reads(**servers: list[tuple[float, Vector]]) -> dict[str, list[VectorRead]]:
    return {name: [VectorRead(at, seen) for at, seen in seen] for name, seen in servers.items()}


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
            {"d": "behind 8"},
            id="most have what one lacks",
        ),
        pytest.param(
            reads(a=[(0, NEW)], b=[(1, OLD)], c=[(2, OLD)], d=[(3, OLD)]),
            {"a": "isolated 1"},
            id="one has what most lack",
        ),
        pytest.param(
            reads(a=[(0, MINE), (5, MINE)], b=[(1, THEIRS)], c=[(2, THEIRS)], d=[(3, THEIRS)]),
            {"a": "behind 2, isolated 1"},
            id="one provider cut off both ways",
        ),
        pytest.param(
            reads(a=[(0, MINE), (9, MINE)], b=[(0, MINE), (9, MINE)])
            | reads(c=[(1, THEIRS), (9, THEIRS)], d=[(1, THEIRS), (9, THEIRS)]),
            dict.fromkeys("abcd", "split 8"),
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
def test_standing(seen: dict[str, list[VectorRead]], expected: dict[str, str]) -> None:
    assert summary(assess(seen)) == expected


def test_the_gap_after_an_idle_day_is_no_lateness() -> None:
    day = vector(s1=86_400.0)
    standings = assess(reads(a=[(0, OLD), (10, day)], b=[(0, OLD), (10.5, OLD), (11, day)]))
    before = assess(reads(a=[(0, OLD), (10, day)], b=[(0, OLD), (10.5, OLD)]))["b"]

    assert summary(standings) == {}
    assert (before.csn_gap_seconds[1], before.behind_seconds[1]) == (86_400.0, 0.5)


def test_a_retired_server_id_is_ignored() -> None:
    assert summary(assess(reads(a=[(0, NEW)], b=[(9, OLD)]), Terms(retired=frozenset({1})))) == {}


VECTORS = st.dictionaries(st.sampled_from(["s1", "s2"]), st.sampled_from([0.0, 1.0, 2.0])).map(
    lambda seconds: vector(**seconds)
)
READS = st.dictionaries(
    st.sampled_from("abcd"),
    st.lists(st.tuples(st.integers(0, 9).map(float), VECTORS), min_size=1, max_size=3).map(
        lambda seen: [VectorRead(at, v) for at, v in sorted(seen, key=lambda each: each[0])]
    ),
)


@given(READS, st.permutations("abcd"))
def test_permuting_servers_permutes_the_result(
    seen: dict[str, list[VectorRead]], order: list[str]
) -> None:
    moved = {name: seen[name] for name in order if name in seen}

    assert assess(moved) == assess(seen)


LONG_READS = st.dictionaries(
    st.sampled_from("abcd"),
    st.lists(
        st.tuples(st.integers(0, 9).map(float), VECTORS, st.sampled_from((0.0, 0.5, 2.0))),
        min_size=1,
        max_size=5,
    ).map(
        lambda seen: [VectorRead(at, v, took) for at, v, took in sorted(seen, key=lambda e: e[0])]
    ),
)
TERMS = st.builds(
    Terms,
    reference=st.sampled_from((MAJORITY, Reference(ReferenceMode.NEWEST))),
    tolerance_seconds=st.sampled_from((0.0, 3.0)),
    consumers=st.sampled_from((frozenset(), frozenset("a"), frozenset("ab"))),
    poll_interval_seconds=st.sampled_from(({}, {"a": 2.0})),
    retired=st.sampled_from((frozenset(), frozenset({2}))),
)


@given(LONG_READS, TERMS)
def test_the_standing_of_one_server_is_that_among_all(
    seen: dict[str, list[VectorRead]], terms: Terms
) -> None:
    standings = assess(seen, terms)

    assert {server: standing_of(server, seen, terms) for server in seen} == standings


@given(READS)
def test_with_all_vectors_equal_nobody_is_anything(seen: dict[str, list[VectorRead]]) -> None:
    level = {
        name: [VectorRead(s.seen_at_seconds, NEW) for s in all_] for name, all_ in seen.items()
    }

    assert summary(assess(level)) == {}


@given(READS)
def test_who_lacks_nothing_is_never_behind(seen: dict[str, list[VectorRead]]) -> None:
    newest = vector(s1=2.0, s2=2.0)
    with_best = seen | {"best": [VectorRead(99.0, newest)]}

    assert assess(with_best)["best"].behind_seconds == {}


def both(**vectors: Vector) -> dict[str, list[VectorRead]]:
    """Return two reads of each server, 50 s apart, with the same vector."""
    return {name: [VectorRead(at, each) for at in (0.0, 50.0)] for name, each in vectors.items()}


def received_by_one(names: str, of: str) -> dict[str, list[VectorRead]]:
    """Return reads of servers that all write, and of which one alone receives."""
    sids = {name: f"s{number}" for number, name in enumerate(names, 1)}
    return both(
        **{
            name: vector(**{sid: 9.0 if name in (own, of) else 0.0 for own, sid in sids.items()})
            for name in names
        }
    )


BOTH_RECEIVED = vector(s1=0.0, s2=9.0, s3=9.0, s4=9.0)
GONE_ON = vector(s1=20.0, s3=499.0)
CUT_OFF = vector(s1=10.0, s3=500.0)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(
            reads(a=[(0, NEW), (1000, NEW)], d=[(0, OLD), (1000.5, OLD)])
            | reads(b=[(0, OLD), (1000.1, NEW)], c=[(0, OLD), (1000.2, NEW)]),
            {"d": "behind 0.4"},
            id="the cut heals: the last to catch up is late only since half have caught up",
        ),
        pytest.param(
            reads(a=[(0, NEW), (1000, NEW)], b=[(0, NEW), (1000, NEW)])
            | reads(c=[(0, NEW), (999, NEW), (1000.5, OLD)]),
            {"c": "behind 1.5"},
            id="a position that moved backwards is missing only since then",
        ),
        pytest.param(
            {
                name: [VectorRead(at + i, vector(**{f"s{i}": at})) for at in (0.0, 100.0)]
                for i, name in enumerate("abcd", 1)
            },
            {"a": "split 101", "b": "split 99", "c": "split 98", "d": "split 97"},
            id="each cut from all others: nobody is left to trust, so nobody is blamed",
        ),
        pytest.param(
            reads(a=[(0, vector(s1=9.0, s2=9.0, s3=0.0)), (50, vector(s1=9.0, s2=9.0, s3=0.0))])
            | reads(b=[(0, vector(s1=0.0, s2=9.0, s3=0.0)), (50, vector(s1=0.0, s2=9.0, s3=0.0))])
            | {
                name: [VectorRead(at, vector(s1=0.0, s2=0.0, s3=9.0)) for at in (0.0, 50.0)]
                for name in "cd"
            },
            {
                "a": "isolated 50, split 50",
                "b": "split 50",
                "c": "split 50",
                "d": "split 50",
            },
            id="isolated with its own changes while two others' split the cluster",
        ),
        pytest.param(
            received_by_one("abcd", of="a"),
            {"a": "split 50", "b": "split 50", "c": "split 50", "d": "split 50"},
            id="four, and one alone receives all: without it no two would be level",
        ),
        pytest.param(
            received_by_one("abcd", of="a")
            | both(d=vector(s1=0.0, s2=0.0, s3=0.0, s4=9.0))
            | both(b=vector(s1=0.0, s2=9.0, s3=0.0, s4=9.0))
            | both(c=vector(s1=0.0, s2=0.0, s3=9.0, s4=9.0)),
            {"a": "split 50", "b": "split 50", "c": "split 50", "d": "behind 50"},
            id="the same, and nothing was written at one of the others",
        ),
        pytest.param(
            received_by_one("abc", of="a"),
            {"a": "split 50", "b": "split 50", "c": "split 50"},
            id="three, and one alone receives all",
        ),
        pytest.param(
            received_by_one("abcdef", of="a"),
            dict.fromkeys("abcdef", "split 50"),
            id="six, and one alone receives all",
        ),
        pytest.param(
            received_by_one("abcd", of="a") | both(b=BOTH_RECEIVED, c=BOTH_RECEIVED),
            {"a": "isolated 50", "d": "behind 50"},
            id="one alone receives all, but two others are level: they can do without it",
        ),
        pytest.param(
            reads(c=[(0, OLD), (99, OLD)]),
            {},
            id="a consumer whose provider is dead: nobody has more",
        ),
        pytest.param(
            reads(a=[(0, NEW), (50, NEW)], c=[(0, OLD), (50, OLD)]),
            {"c": "behind 50"},
            id="a consumer of a consumer that is dead: the provider has more",
        ),
        pytest.param(
            reads(a=[(0, NEW), (50, NEW)], b=[(0, OLD), (50, OLD)], c=[(0, OLD), (50, OLD)]),
            {"a": "isolated 50"},
            id="a provider whose only consumers receive nothing: most lack what it has",
        ),
        pytest.param(
            reads(a=[(0, OLD), (9, NEW)], b=[(0, OLD), (9, NEW)], c=[(0, OLD), (9, NEW)])
            | reads(d=[(0, OLD), (8, OLD)]),
            {},
            id="newer positions came after its own last read",
        ),
    ],
)
def test_standing_over_time(seen: dict[str, list[VectorRead]], expected: dict[str, str]) -> None:
    assert summary(assess(seen)) == expected


SPACED = {name: [VectorRead(at, NEW) for at in (0.0, 400.0)] for name in "abc"}
POLLS = Terms(poll_interval_seconds={"d": 300.0, "e": 300.0}, tolerance_seconds=10.0)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(reads(d=[(290.0, OLD)]), {}, id="between two polls"),
        pytest.param(reads(d=[(361.0, OLD)]), {"d": "behind 61"}, id="longer than a poll interval"),
    ],
)
def test_who_polls_is_behind_only_beyond_its_interval(
    seen: dict[str, list[VectorRead]], expected: dict[str, str]
) -> None:
    assert summary(assess(SPACED | seen, POLLS)) == expected


def test_a_provider_is_not_isolated_while_most_others_wait_for_their_next_poll() -> None:
    seen = reads(a=[(0, NEW), (250, NEW)], d=[(0, OLD), (250, OLD)], e=[(0, OLD), (250, OLD)])

    assert summary(assess(seen)) == {"a": "isolated 250"}
    assert summary(assess(seen, POLLS)) == {}


def polling(*seen: tuple[float, float | None], shows: Vector = OLD) -> list[VectorRead]:
    """Return reads of a server, each with the poll interval that its links showed."""
    return [VectorRead(at, shows, 0.0, interval) for at, interval in seen]


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param([(290.0, 300.0)], {}, id="it waits for its next poll"),
        pytest.param([(361.0, 300.0)], {"d": "behind 61"}, id="the next poll is overdue"),
        pytest.param([(290.0, 300.0), (320.0, None)], {"d": "behind 20"}, id="polling, or cut off"),
        pytest.param([(320.0, None)], {"d": "behind 320"}, id="never seen to wait"),
        pytest.param([(290.0, 300.0), (320.0, 0.0)], {"d": "behind 320"}, id="now its links last"),
    ],
)
def test_the_poll_interval_is_the_newest_that_the_links_show(
    seen: list[tuple[float, float | None]], expected: dict[str, str]
) -> None:
    assert summary(assess(SPACED | {"d": polling(*seen)})) == expected


@pytest.mark.parametrize(("shown", "expected"), [(100.0, {"d": "behind 61"}), (400.0, {})])
def test_the_longer_of_both_intervals_counts(shown: float, expected: dict[str, str]) -> None:
    assert summary(assess(SPACED | {"d": polling((361.0, shown))}, POLLS)) == expected


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ({}, {"a": "isolated 250"}),
        ({"d": 210.0}, {"a": "isolated 50"}),
        ({"d": 600.0, "e": 600.0}, {}),
        ({"d": 600.0}, {}),
        ({"d": 5.0, "e": 5.0}, {"a": "isolated 250"}),
        ({"d": inf, "e": inf}, {}),
    ],
)
def test_what_a_server_may_lack_by_its_own_tolerance_isolates_no_other(
    own: dict[str, float], expected: dict[str, str]
) -> None:
    seen = reads(a=[(0, NEW), (250, NEW)], d=[(0, OLD), (250, OLD)], e=[(0, OLD), (250, OLD)])

    assert (
        summary(assess(seen, Terms(tolerance_seconds=10.0, own_tolerance_seconds=own))) == expected
    )


SIDES = {
    "two halves": ({"a": MINE, "b": MINE, "c": THEIRS, "d": THEIRS}, (("a", "b"), ("c", "d"))),
    "each by itself": (
        {name: vector(**{f"s{sid}": 9.0}) for sid, name in enumerate("abcd", 1)},
        (("a",), ("b",), ("c",), ("d",)),
    ),
    "a server that lacks of both sides is on neither": (
        {"a": MINE, "b": MINE, "c": THEIRS, "d": THEIRS, "e": vector(s1=0.0, s2=0.0)},
        (("a", "b"), ("c", "d"), ("e",)),
    ),
    "no split": ({"a": NEW, "b": NEW, "c": OLD}, ()),
}


@pytest.mark.parametrize(("shown", "expected"), SIDES.values(), ids=SIDES)
def test_a_split_has_sides(shown: dict[str, Vector], expected: tuple[tuple[str, ...], ...]) -> None:
    standings = assess(
        {name: [VectorRead(at, of) for at in (0.0, 9.0)] for name, of in shown.items()}
    )

    assert {each.sides for each in standings.values() if each.split_seconds} <= {expected}
    assert any(each.split_seconds for each in standings.values()) is bool(expected)


@pytest.mark.parametrize(
    ("tolerance_seconds", "expected"),
    [
        pytest.param(0.0, dict.fromkeys("abcd", "split 0.02"), id="any proof makes it a split"),
        pytest.param(
            1.0,
            {"a": "behind 0.02", "b": "behind 0.02", "c": "behind 499", "d": "behind 499"},
            id="ordinary replication the other way makes no split",
        ),
    ],
)
def test_two_of_four_receive_nothing_while_their_own_writes_arrive(
    tolerance_seconds: float, expected: dict[str, str]
) -> None:
    ahead = [(1.0, GONE_ON), (500.02, GONE_ON)]
    cut = [(0.0, vector(s1=10.0, s3=499.0)), (500.0, CUT_OFF)]
    seen = reads(a=ahead, b=ahead, c=cut, d=cut)

    told = summary(assess(seen, Terms(tolerance_seconds=tolerance_seconds)))

    assert told == expected


def test_a_slow_answer_does_not_make_a_server_late() -> None:
    slow = VectorRead(0.85, OLD, duration_seconds=0.8)

    assert summary(assess({"a": [VectorRead(0.1, NEW)], "b": [slow]})) == {}


def under_steady_writes(rounds: int) -> dict[str, list[VectorRead]]:
    """Ten writes a second at a, 50 ms from the others, reads every 5 s; d stopped receiving."""

    def seen(name: str, at: float) -> VectorRead:
        had_until = {"a": at, "d": 1.0}.get(name, at - 0.05)
        return VectorRead(at, vector(s1=float(int(had_until * 10)) / 10))

    starts = [5.0 * i + 1 for i in range(rounds)]
    return {name: [seen(name, at + 0.01 * i) for at in starts] for i, name in enumerate("abcd")}


def test_a_cut_consumer_is_late_and_who_is_a_moment_late_is_not() -> None:
    standings = assess(under_steady_writes(20), Terms(tolerance_seconds=1.0))

    late = {name: max(each.behind_seconds.values(), default=0) for name, each in standings.items()}
    assert late["d"] == pytest.approx(90, abs=0.1)
    assert max(late[name] for name in "abc") < 0.1
    assert all(max(each.isolated_seconds.values(), default=0) < 0.1 for each in standings.values())
    assert not any(each.split_seconds for each in standings.values())


def blamed(standings: dict[str, Standing]) -> set[str]:
    return {
        name for name, each in standings.items() if each.behind_seconds or each.isolated_seconds
    }


@given(READS)
def test_more_than_half_are_never_blamed(seen: dict[str, list[VectorRead]]) -> None:
    assert 2 * len(blamed(assess(seen))) <= len(seen)


@given(READS)
def test_nobody_is_behind_while_a_majority_lacks_the_same(
    seen: dict[str, list[VectorRead]],
) -> None:
    for name, standing in assess(seen).items():
        mine = seen[name][-1].vector
        for sid in standing.behind_seconds:
            having = [
                other
                for other in seen.values()
                if sid in other[-1].vector
                and (sid not in mine or other[-1].vector[sid] > mine[sid])
            ]
            assert 2 * len(having) >= len(seen)


@given(READS)
def test_a_read_begun_before_anything_was_seen_elsewhere_proves_nothing(
    seen: dict[str, list[VectorRead]],
) -> None:
    one_round = {
        name: [VectorRead(s[-1].seen_at_seconds, s[-1].vector, 10.0)] for name, s in seen.items()
    }

    assert summary(assess(one_round)) == {}


@given(READS)
def test_no_time_is_longer_than_the_agent_has_watched(seen: dict[str, list[VectorRead]]) -> None:
    times = [at.seen_at_seconds for sightings in seen.values() for at in sightings]
    for standing in assess(seen).values():
        for kind in (standing.behind_seconds, standing.isolated_seconds, standing.split_seconds):
            assert all(0 < seconds <= max(times) - min(times) for seconds in kind.values())


@given(READS, VECTORS, st.integers(1, 3))
def test_one_more_that_agrees_with_the_majority_changes_nothing_for_others(
    seen: dict[str, list[VectorRead]], common: Vector, extra: int
) -> None:
    agreeing = {f"m{i}": [VectorRead(0.0, common)] for i in range(len(seen) + extra)}
    settled = {
        name: [
            *sightings,
            VectorRead(20.0, sightings[-1].vector),
            VectorRead(30.0, sightings[-1].vector),
        ]
        for name, sightings in (seen | agreeing).items()
    }
    with_one_more = assess(settled | {"one more": settled["m0"]})
    del with_one_more["one more"]

    def kinds(standings: dict[str, Standing]) -> dict[str, tuple[set[int], ...]]:
        return {
            name: (set(s.behind_seconds), set(s.isolated_seconds), set(s.split_seconds))
            for name, s in standings.items()
        }

    assert kinds(with_one_more) == kinds(assess(settled))


NEWEST, SERVER_A = Reference(ReferenceMode.NEWEST), Reference(ReferenceMode.SERVER, "a")
REFERENCES = st.sampled_from([MAJORITY, NEWEST, SERVER_A])


@pytest.mark.parametrize(
    ("seen", "newest", "server_a"),
    [
        pytest.param(
            reads(a=[(0, NEW)], b=[(1, OLD)], c=[(2, OLD)], d=[(3, OLD)]),
            {"b": "behind 1", "c": "behind 2", "d": "behind 3"},
            {"b": "behind 1", "c": "behind 2", "d": "behind 3"},
            id="one has what most lack",
        ),
        pytest.param(
            reads(a=[(9, OLD)], b=[(0, NEW)], c=[(0, NEW)], d=[(9, OLD)]),
            {"a": "behind 9", "d": "behind 9"},
            {"b": "isolated 9", "c": "isolated 9"},
            id="the named one lacks what others have",
        ),
        pytest.param(
            reads(a=[(0, MINE), (9, MINE)], b=[(0, THEIRS), (9, THEIRS)]),
            {"a": "behind 9", "b": "behind 9"},
            {"b": "behind 9, isolated 9"},
            id="each lacks something of the other",
        ),
        pytest.param(
            reads(b=[(0, NEW)], c=[(9, OLD)]),
            {"c": "behind 9"},
            {},
            id="the named one cannot be read",
        ),
        pytest.param(
            reads(a=[(5, vector(s1=1.0))], b=[(0, vector(s1=2.0))], c=[(9, OLD)]),
            {"a": "behind 5", "c": "behind 9"},
            {"b": "isolated 5", "c": "behind 4"},
            id="lateness counts since the reference had it",
        ),
    ],
)
def test_standing_by_another_reference(
    seen: dict[str, list[VectorRead]], newest: dict[str, str], server_a: dict[str, str]
) -> None:
    assert summary(assess(seen, Terms(reference=NEWEST))) == newest
    assert summary(assess(seen, Terms(reference=SERVER_A))) == server_a


@given(READS, st.permutations("abcd"), REFERENCES)
def test_permuting_servers_permutes_the_result_by_any_reference(
    seen: dict[str, list[VectorRead]], order: list[str], reference: Reference
) -> None:
    moved = {name: seen[name] for name in order if name in seen}

    assert assess(moved, Terms(reference=reference)) == assess(seen, Terms(reference=reference))


@given(READS, REFERENCES)
def test_with_all_vectors_equal_nobody_is_anything_by_any_reference(
    seen: dict[str, list[VectorRead]], reference: Reference
) -> None:
    level = {
        name: [VectorRead(s.seen_at_seconds, NEW) for s in all_] for name, all_ in seen.items()
    }

    assert summary(assess(level, Terms(reference=reference))) == {}


@given(READS, REFERENCES, st.floats(1.0, 1e6))
def test_time_that_passes_makes_nobody_behind_who_lacks_nothing(
    seen: dict[str, list[VectorRead]], reference: Reference, later: float
) -> None:
    passed = {
        name: [*sightings, VectorRead(9.0 + later, sightings[-1].vector)]
        for name, sightings in seen.items()
    }
    heads = {
        sid: max(s[-1].vector[sid] for s in seen.values() if sid in s[-1].vector)
        for sid in (1, 2)
        if any(sid in s[-1].vector for s in seen.values())
    }
    for name, standing in assess(passed, Terms(reference=reference)).items():
        if dict(seen[name][-1].vector) == heads:
            assert standing.behind_seconds == {}


@given(READS)
def test_by_the_newest_who_lacks_it_is_behind_and_nobody_else_is_anything(
    seen: dict[str, list[VectorRead]],
) -> None:
    held = {name: [*s, VectorRead(20.0, s[-1].vector)] for name, s in seen.items()}
    for name, standing in assess(held, Terms(reference=NEWEST)).items():
        lacking = {sid for other in seen.values() for sid in other[-1].vector} - {
            sid
            for sid, mine in seen[name][-1].vector.items()
            if all(mine >= other[-1].vector.get(sid, mine) for other in seen.values())
        }
        assert set(standing.behind_seconds) == lacking
        assert not standing.isolated_seconds
        assert not standing.split_seconds


@given(READS)
def test_the_named_server_is_never_anything_and_nobody_is_split(
    seen: dict[str, list[VectorRead]],
) -> None:
    standings = assess(seen, Terms(reference=SERVER_A))

    assert "a" not in summary(standings)
    assert not any(standing.split_seconds for standing in standings.values())
    assert "a" in seen or summary(standings) == {}


@given(READS, st.sampled_from([NEWEST, SERVER_A]), st.sampled_from("abcd"))
def test_one_more_that_agrees_with_another_changes_nothing_by_an_explicit_reference(
    seen: dict[str, list[VectorRead]], reference: Reference, like: str
) -> None:
    if like not in seen:
        return
    with_one_more = assess(seen | {"one more": seen[like]}, Terms(reference=reference))
    del with_one_more["one more"]

    assert with_one_more == assess(seen, Terms(reference=reference))
