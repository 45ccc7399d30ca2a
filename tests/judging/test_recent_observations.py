"""What is remembered, how much of it, and what a judge gets to see."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from ldaphealth.check import View
from ldaphealth.judging.kept_reads import LARGEST_GAP
from ldaphealth.judging.recent_observations import RecentObservations
from ldaphealth.judging.retention import Retention
from ldaphealth.model import (
    AnyObservation,
    Failure,
    FailureKind,
    Finding,
    Metric,
    Trust,
)
from tests.checks.seen import CRITICAL, SOFT, saw, server

S0, S1 = server("s0"), server("s1")
HARD_FAILURE = Failure(FailureKind.CONNECT, "connection refused")


def keeping(newest: int) -> RecentObservations:
    """Return what keeps so many of each of the checks of these tests."""
    return RecentObservations(dict.fromkeys(("bind", "search"), Retention(newest=newest)))


def shown(recent: RecentObservations, of: str = "s0", check: str = "search") -> list[float]:
    """Return the times of what a judge sees of one server, in its order."""
    seen = recent.view(server(of), check, one_shot=False).own
    return [each.started_at for each in seen]


@pytest.mark.parametrize(
    ("keep", "added", "first", "count"),
    [
        pytest.param(3, 0, None, 0, id="nothing"),
        pytest.param(3, 2, 0, 2, id="fewer than the bound"),
        pytest.param(3, 3, 0, 3, id="as many as the bound"),
        pytest.param(3, 4, 1, 3, id="one more than the bound"),
        pytest.param(1, 9, 8, 1, id="a bound of one"),
        pytest.param(64, 1000, 936, 64, id="many more than the bound"),
    ],
)
def test_the_oldest_beyond_the_bound_is_forgotten(
    keep: int, added: int, first: int | None, count: int
) -> None:
    recent = keeping(keep)
    for at in range(added):
        recent.add(saw("search", at=float(at)))

    assert shown(recent) == ([] if first is None else [float(first + n) for n in range(count)])


def test_the_bound_is_64_unless_another_is_said() -> None:
    recent = RecentObservations()
    for at in range(65):
        recent.add(saw("search", at=float(at)))

    assert shown(recent) == [float(at) for at in range(1, 65)]


def test_the_bound_is_of_one_server_and_check_and_not_of_all() -> None:
    recent = keeping(2)
    for at in range(4):
        recent.add(saw("bind", at=float(at)))
    recent.add(saw("search", at=10.0))
    recent.add(saw("search", of="s1", at=11.0))

    assert shown(recent, "s0", "bind") == [2.0, 3.0]
    assert shown(recent, "s0", "search") == [10.0]
    assert shown(recent, "s1", "search") == [11.0]


def test_a_view_has_all_servers_of_which_its_check_was_seen_and_no_other() -> None:
    recent = RecentObservations()
    for of, check in (("s0", "search"), ("s1", "search"), ("s2", "bind")):
        recent.add(saw(check, of=of))
    look = recent.view(S0, "search", one_shot=True)

    assert set(look.observations) == {"c/s0", "c/s1"}
    assert (look.server, look.check, look.one_shot) == (S0, "search", True)
    assert recent.view(S0, "search", one_shot=False).one_shot is False


def test_a_check_that_was_never_seen_has_an_empty_view() -> None:
    assert RecentObservations().view(S0, "search", one_shot=False).observations == {}


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        pytest.param({"c/s0", "c/s1"}, ([0.0], [1.0], [2.0]), id="none is gone"),
        pytest.param({"c/s1", "c/s9"}, ([], [1.0], []), id="one is gone"),
        pytest.param(set(), ([], [], []), id="all are gone"),
    ],
)
def test_a_server_that_is_gone_is_forgotten_with_all_its_checks(
    kept: set[str], expected: tuple[list[float], ...]
) -> None:
    recent = RecentObservations()
    recent.add(saw("search", at=0.0))
    recent.add(saw("search", of="s1", at=1.0))
    recent.add(saw("bind", at=2.0))

    recent.forget(kept)

    assert (shown(recent), shown(recent, "s1"), shown(recent, "s0", "bind")) == expected


def test_a_server_that_came_back_is_remembered_anew() -> None:
    recent = RecentObservations()
    recent.add(saw("search", at=1.0))
    recent.forget({"c/s1"})
    recent.add(saw("search", at=2.0))

    assert shown(recent) == [2.0]


def test_a_judge_may_slice_what_it_sees() -> None:
    recent = RecentObservations()
    for at in (1.0, 2.0, 3.0):
        recent.add(saw("search", at=at))

    newest_two = recent.view(S0, "search", one_shot=False).own[-2:]

    assert [each.started_at for each in newest_two] == [2.0, 3.0]


def test_the_latest_is_what_was_added_last() -> None:
    recent = RecentObservations()
    for at in (5.0, 1.0):
        recent.add(saw("search", at=at))

    assert recent.view(S0, "search", one_shot=False).latest.started_at == 1.0


def test_a_server_that_is_not_in_the_view_was_not_seen() -> None:
    assert View(S0, "search", {}).own == ()


def test_a_finding_of_a_view_is_of_its_server_and_check() -> None:
    found = View(S1, "search", {}).finding(
        CRITICAL,
        "entries",
        "none",
        (Metric("search_entries", n) for n in (0, 1)),
        Trust.INFORMATIVE,
    )

    metrics = (Metric("search_entries", 0), Metric("search_entries", 1))
    assert found == Finding(
        server="c/s1",
        check="search",
        state=CRITICAL,
        code="entries",
        summary="none",
        metrics=metrics,
        trust=Trust.INFORMATIVE,
    )
    assert View(S1, "search", {}).finding(CRITICAL, "entries", "none").trust is SOFT


SEEN = st.lists(
    st.builds(
        lambda of, check, at: saw(check, of=of, at=at),
        st.sampled_from(["s0", "s1"]),
        st.sampled_from(["bind", "search"]),
        st.floats(0, 100),
    )
)


@given(SEEN, st.integers(1, 5))
def test_a_view_is_the_newest_that_were_added_in_their_order(
    seen: list[AnyObservation], keep: int
) -> None:
    recent = keeping(keep)
    added: dict[tuple[str, str], list[AnyObservation]] = defaultdict(list)
    for each in seen:
        recent.add(each)
        added[each.server, each.check].append(each)

    for of in (S0, S1):
        for check in ("bind", "search"):
            look = recent.view(of, check, one_shot=False)
            assert list(look.own) == added[of.id, check][-keep:]


@pytest.mark.parametrize(
    ("session", "is_shown"),
    [
        pytest.param([], False, id="never looked at"),
        pytest.param([saw("connect", at=1.0)], True, id="well before it"),
        pytest.param([saw("connect", at=9.0)], True, id="well after it"),
        pytest.param([saw("connect", at=1.0, failure=HARD_FAILURE)], False, id="dead before it"),
        pytest.param([saw("connect", at=9.0, failure=HARD_FAILURE)], False, id="dead after it"),
        pytest.param(
            [saw("connect", at=1.0), saw("search", at=1.1, failure=HARD_FAILURE), saw("unbind")],
            True,
            id="a session that went on after a failure",
        ),
    ],
)
def test_what_a_survey_saw_counts_while_the_sessions_of_the_rounds_run_through(
    session: list[AnyObservation], is_shown: bool
) -> None:
    recent = RecentObservations()
    recent.add_surveyed(saw("landscape", at=5.0))
    for each in session:
        recent.add(each)
    recent.add_surveyed(saw("landscape", at=6.0))

    assert shown(recent, check="landscape") == ([5.0, 6.0] if is_shown else [])


def test_a_survey_does_not_pass_for_a_session() -> None:
    recent = RecentObservations()
    recent.add(saw("connect", at=1.0))
    recent.add(saw("search", at=1.1))
    recent.add(saw("connect", at=2.0, failure=HARD_FAILURE))
    recent.add_surveyed(saw("landscape", at=3.0))

    assert shown(recent, check="search") == []


# The older part, of checks that say which reads can be spared


class Numbered(Struct, frozen=True):
    """The facts of these tests: a number."""

    n: int


def grows(earlier: Numbered, later: Numbered) -> bool:
    return earlier.n <= later.n


def long_history(keep: int = 4, older: int = 8) -> RecentObservations:
    return RecentObservations(
        {
            "search": Retention(newest=keep, covers=grows, older=older),
            "bind": Retention(newest=keep),
        }
    )


def numbers(recent: RecentObservations) -> list[tuple[float, object]]:
    seen = recent.view(S0, "search", one_shot=False).own
    return [(each.started_at, each.facts.n if each.facts else None) for each in seen]


def test_of_older_reads_that_say_the_same_the_first_and_the_last_are_kept() -> None:
    recent = long_history()
    for at in range(1000):
        recent.add(saw("search", Numbered(1 if at >= 500 else 0), at=float(at)))

    assert numbers(recent) == [
        *((0.0, 0), (499.0, 0), (500.0, 1), (995.0, 1)),
        *((float(at), 1) for at in range(996, 1000)),
    ]


def test_a_check_that_cannot_tell_has_no_older_reads() -> None:
    recent = long_history()
    for at in range(1000):
        recent.add(saw("bind", Numbered(0), at=float(at)))

    assert shown(recent, check="bind") == [996.0, 997.0, 998.0, 999.0]


def test_failures_are_forgotten_when_they_are_old() -> None:
    recent = long_history()
    failure = Failure(FailureKind.TIMEOUT, "no answer")
    for at in range(20):
        failed = at in (3, 18)
        recent.add(saw("search", Numbered(0), at=float(at), failure=failure if failed else None))

    assert [at for at, _ in numbers(recent)] == [0.0, 15.0, 16.0, 17.0, 18.0, 19.0]


def test_where_every_read_says_more_the_older_ones_are_the_sparser_the_longer_ago() -> None:
    recent = RecentObservations({"search": Retention(covers=grows)})
    for at in range(100_000):
        recent.add(saw("search", Numbered(at), at=float(at)))
    times = [at for at, _ in numbers(recent)]

    assert times[0] < 40_000  # at an interval of 5 s more than three days ago
    assert len(times) <= 128
    for earlier, later in pairwise(times[:-64]):
        assert later - earlier <= max(1, LARGEST_GAP * (100_000 - later))


def test_where_nothing_can_be_spared_the_oldest_are_forgotten() -> None:
    recent = long_history()
    for at in range(1000):
        recent.add(saw("search", Numbered(at % 2), at=float(at)))
    times = [at for at, _ in numbers(recent)]

    assert times == [float(at) for at in range(1000 - len(times), 1000)]
    assert 8 <= len(times) <= 12


@given(st.lists(st.integers(0, 3), max_size=60), st.integers(1, 5), st.integers(1, 6))
def test_the_newest_are_whole_and_the_older_ones_bounded_and_in_order(
    said: list[int], keep: int, older: int
) -> None:
    recent = long_history(keep, older)
    added = [(float(at), n) for at, n in enumerate(said)]
    for at, n in added:
        recent.add(saw("search", Numbered(n), at=at))
    seen = numbers(recent)

    assert seen[-keep:] == added[-keep:]
    assert len(seen) <= keep + older
    assert [each for each in added if each in seen] == seen


@given(st.lists(st.integers(0, 3), min_size=1, max_size=60).map(sorted), st.integers(0, 3))
def test_of_what_grows_nothing_older_is_told_than_there_was(said: list[int], least: int) -> None:
    """Since when it was at least so much is told late perhaps, and never too early."""
    recent = long_history(2, 4)
    for at, n in enumerate(said):
        recent.add(saw("search", Numbered(n), at=float(at)))
    true = [at for at, n in enumerate(said) if n >= least]
    known = [at for at, n in numbers(recent) if int(str(n)) >= least]

    assert bool(known) is bool(true)
    assert not true or known[0] >= true[0]


def test_what_was_remembered_before_a_restart_counts_at_once_only_if_it_is_current() -> None:
    recalled = [saw("search", Numbered(0), at=1.0), saw("search", Numbered(1), at=2.0)]
    current, old = long_history(), long_history()
    current.recall(recalled, current=True)
    old.recall(recalled, current=False)
    before = numbers(current), numbers(old)
    for recent in (current, old):
        recent.add(saw("connect", at=3.0))
        recent.add(saw("search", Numbered(2), at=4.0))

    assert before == ([(1.0, 0), (2.0, 1)], [])
    assert numbers(current) == numbers(old) == [(1.0, 0), (2.0, 1), (4.0, 2)]


def test_a_server_that_cannot_be_reached_after_the_restart_has_no_say() -> None:
    recent = long_history()
    recent.recall([saw("search", Numbered(0), at=1.0)], current=True)
    recent.add(saw("connect", at=3.0, failure=Failure(FailureKind.CONNECT, "refused")))

    assert numbers(recent) == []


def test_of_a_check_that_needs_the_newest_only_no_other_is_kept() -> None:
    recent = RecentObservations({"search": Retention(newest=1)})
    for number in range(5):
        for check in ("connect", "search"):
            recent.add(saw(check, at=float(number)))

    assert [each.started_at for each in recent.of_check("search")["c/s0"]] == [4.0]
    assert len(recent.of_check("connect")["c/s0"]) == 5


def test_when_fewer_are_needed_than_before_the_rest_goes_with_the_next_one() -> None:
    recent = RecentObservations()
    for number in range(5):
        recent.add(saw("connect", at=float(number)))
    recent.retention = {"connect": Retention(newest=2)}

    recent.add(saw("connect", at=5.0))

    assert [each.started_at for each in recent.of_check("connect")["c/s0"]] == [4.0, 5.0]


# The times of older observations


@pytest.mark.parametrize(
    ("older_times", "expected"),
    [
        pytest.param(True, [{"search": 1.0}, {"search": 2.0}, {"search": 3.0}], id="judged"),
        pytest.param(False, [{}, {}, {"search": 3.0}], id="not judged"),
    ],
)
def test_times_of_older_observations_are_kept_if_they_are_judged(
    older_times: bool, expected: list[dict[str, float]]
) -> None:
    recent = RecentObservations({"search": Retention(older_times=older_times)})
    for at in (1.0, 2.0, 3.0):
        recent.add(saw("search", at=at, timings={"search": at}))
    own = recent.view(S0, "search", one_shot=False).own

    assert [each.timings for each in own] == expected
    assert [each.started_at for each in own] == [1.0, 2.0, 3.0]


# Older ones that are merged


def added(earlier: Numbered, later: Numbered) -> Numbered | None:
    """Return the sum, up to 10."""
    return Numbered(earlier.n + later.n) if earlier.n + later.n <= 10 else None


def test_older_ones_are_merged_as_far_as_their_check_can() -> None:
    recent = RecentObservations({"search": Retention(newest=2, merged=added, older=3)})
    for at in range(100):
        recent.add(saw("search", Numbered(1), at=float(at)))

    assert numbers(recent) == [(79.0, 10), (89.0, 10), (97.0, 8), (98.0, 1), (99.0, 1)]


def test_failed_ones_are_left_out_of_what_is_merged() -> None:
    recent = RecentObservations({"search": Retention(newest=2, merged=added, older=3)})
    failure = Failure(FailureKind.TIMEOUT, "no answer")
    for at in range(6):
        recent.add(saw("search", Numbered(1), at=float(at), failure=failure if at == 2 else None))

    assert numbers(recent) == [(3.0, 3), (4.0, 1), (5.0, 1)]


def kept_or_added(earlier: Numbered, later: Numbered) -> Numbered:
    """Return the sum; 0 proves nothing."""
    return earlier if later.n == 0 else Numbered(earlier.n + later.n)


def test_one_that_proves_nothing_leaves_the_one_before_it_as_it_is() -> None:
    recent = RecentObservations({"search": Retention(newest=1, merged=kept_or_added)})
    for at, number in enumerate((1, 2, 0, 0, 0)):
        recent.add(saw("search", Numbered(number), at=float(at)))

    assert numbers(recent) == [(1.0, 3), (4.0, 0)]


class Level(Struct, frozen=True):
    """Facts of a check of the tests."""

    level: str
    names: tuple[str, ...]


def test_what_was_added_is_returned_with_the_facts_of_before_where_they_are_equal() -> None:
    recent = keeping(3)
    same, other = Level("low", ("a", "b")), Level("high", ("a", "b"))
    first = recent.add(saw("search", same, at=1.0))
    second = recent.add(saw("search", replace(same), at=2.0))
    third = recent.add(saw("search", other, at=3.0))

    assert second == saw("search", same, at=2.0)
    assert second.facts is first.facts
    assert third == saw("search", other, at=3.0)
    assert isinstance(third.facts, Level)
    assert third.facts.names is same.names
