"""Every server is due once an interval, spread over it, however late `take` is called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import cycle, pairwise
from math import inf
from time import monotonic

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaphealth.agent.schedule import JITTER, Schedule

START = 1000.0
INTERVAL = 10.0


def never() -> float:
    return 0.0


def always(share: float) -> Callable[[], float]:
    return lambda: share


def looks(schedule: Schedule, until: float, lateness: Iterator[float]) -> list[tuple[float, str]]:
    """Return when each server was taken by a caller that is that late each time."""
    taken: list[tuple[float, str]] = []
    while (now := schedule.next_at() + next(lateness)) < until:
        taken += [(now, server) for server in schedule.take(now)]
    return taken


def test_without_servers_nothing_is_ever_due() -> None:
    schedule = Schedule({}, START, never)

    assert schedule.take(START + 1e9) == []
    assert schedule.next_at() == inf


def test_nothing_is_taken_before_it_is_due() -> None:
    schedule = Schedule({"s": INTERVAL}, START, never)

    assert schedule.take(START - 0.001) == []
    assert schedule.take(START) == ["s"]
    assert schedule.take(START) == []
    assert schedule.take(START + INTERVAL - 0.001) == []
    assert schedule.take(START + INTERVAL) == ["s"]


def test_looks_that_are_taken_late_do_not_drift() -> None:
    schedule = Schedule({"s": INTERVAL}, START, always(0.5))

    at = [time for time, _ in looks(schedule, START + 10_000 * INTERVAL, cycle([0.0, 4.9, 0.3]))]

    assert len(at) == 10_000
    for number, time in enumerate(at):
        assert 0 <= time - START - number * INTERVAL <= INTERVAL * JITTER + 4.9 + 1e-6


@pytest.mark.parametrize("share", [0.0, 0.25, 0.999])
def test_jitter_delays_a_look_by_its_share_of_a_twentieth_and_does_not_add_up(share: float) -> None:
    schedule = Schedule({"s": INTERVAL}, START, always(share))
    schedule.take(START)

    for number in range(1, 1000):
        due = schedule.next_at()
        assert due == pytest.approx(START + number * INTERVAL + INTERVAL * JITTER * share)
        schedule.take(due)


def test_a_thousand_servers_are_spread_over_the_interval() -> None:
    schedule = Schedule({f"s{n}": INTERVAL for n in range(1000)}, START, always(0.5))
    first = Counter(
        int((time - START) // 1) for time, _ in looks(schedule, START + INTERVAL, cycle([0.0]))
    )

    assert set(first) == set(range(10))
    assert all(95 <= number <= 105 for number in first.values())


def test_a_thousand_servers_are_taken_once_each_after_a_sleep_and_quickly() -> None:
    names = [f"s{n}" for n in range(1000)]
    schedule = Schedule(dict.fromkeys(names, INTERVAL), START, always(0.5))
    looks(schedule, START + INTERVAL, cycle([0.0]))
    began = monotonic()

    taken = schedule.take(START + 1e6 * INTERVAL)

    assert sorted(taken) == sorted(names)
    assert monotonic() - began < 1.0


@pytest.mark.parametrize("slept", [1.0, 1.0001, 1.5, 7.3, 1000.999, 1e7])
def test_a_sleep_of_the_machine_is_not_made_up_for(slept: float) -> None:
    schedule = Schedule({"s": INTERVAL}, START, never)
    schedule.take(START)
    woke = START + INTERVAL + slept * INTERVAL

    assert schedule.take(woke) == ["s"]
    assert schedule.take(woke) == []
    after = looks(schedule, woke + 10 * INTERVAL - 1e-6, cycle([0.0]))
    assert 9 <= len(after) <= 10  # nine where it woke at a due time


def test_a_sleep_that_ends_within_the_jitter_does_not_bring_two_looks_at_once() -> None:
    schedule = Schedule({"s": INTERVAL}, START, always(0.99))
    schedule.take(START)
    woke = START + 10 * INTERVAL + 0.2

    assert schedule.take(woke) == ["s"]
    assert schedule.next_at() > START + 11 * INTERVAL


def test_the_phase_is_kept_over_a_sleep() -> None:
    schedule = Schedule({"a": INTERVAL, "b": INTERVAL}, START, never)
    looks(schedule, START + 2 * INTERVAL, cycle([0.0]))
    schedule.take(START + 57.3 * INTERVAL)

    after = looks(schedule, START + 60 * INTERVAL - 1e-6, cycle([0.0]))

    assert [(round(time - START, 6), server) for time, server in after] == [
        (575.0, "b"),
        (580.0, "a"),
        (585.0, "b"),
        (590.0, "a"),
        (595.0, "b"),
    ]


intervals = st.lists(st.sampled_from([0.2, 1.0, 5.0, 7.3, 30.0, 3600.0]), min_size=1, max_size=20)
shares = st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=10)


@given(intervals, shares, st.lists(st.floats(0, 0.09), min_size=1, max_size=10))
def test_every_server_is_looked_at_once_an_interval_whenever_the_schedule_is_asked(
    each: list[float], jitter: list[float], lateness: list[float]
) -> None:
    planned = {f"s{n}": interval for n, interval in enumerate(each)}
    source = cycle(jitter)
    schedule = Schedule(planned, START, lambda: next(source))
    until = START + 10 * min(each) + 1.0
    at: dict[str, list[float]] = {server: [] for server in planned}
    for time, server in looks(schedule, until, cycle(lateness)):
        at[server].append(time)

    for server, interval in planned.items():
        late = interval * JITTER + 0.09 + 1e-6
        assert until - at[server][-1] <= interval + late if at[server] else interval > 0.9
        assert all(second - first <= interval + late for first, second in pairwise(at[server]))
        assert len(at[server]) <= (until - START) / interval + 1


@given(
    intervals,
    shares,
    st.lists(st.floats(0, 100) | st.floats(0, 1e6) | st.just(0.0), max_size=30),
)
def test_no_server_is_taken_twice_at_once_nor_more_often_than_it_was_due(
    each: list[float], jitter: list[float], naps: list[float]
) -> None:
    planned = {f"s{n}": interval for n, interval in enumerate(each)}
    source = cycle(jitter)
    schedule = Schedule(planned, START, lambda: next(source))
    now, taken = START, Counter[str]()
    for nap in naps:
        now += nap
        found = schedule.take(now)
        assert len(found) == len(set(found))
        assert schedule.next_at() > now
        taken.update(found)

    for server, number in taken.items():
        assert number <= (now - START) / planned[server] + 1 + 1e-9


def test_a_reload_that_changes_nothing_changes_no_due_time() -> None:
    names = [f"s{n}" for n in range(7)]
    schedule, reloaded = (
        Schedule(dict.fromkeys(names, INTERVAL), START, always(0.5)) for _ in "12"
    )
    for number in range(100):
        now = START + number * 1.7
        reloaded.plan(dict.fromkeys(reversed(names), INTERVAL), now)
        assert schedule.next_at() == reloaded.next_at()
        assert schedule.take(now) == reloaded.take(now)


def test_reloads_more_often_than_the_interval_starve_nobody() -> None:
    planned = {f"s{n}": INTERVAL for n in range(10)}
    schedule = Schedule(planned, START, never)
    taken = Counter[str]()
    for second in range(100):
        schedule.plan(planned, START + second)
        taken.update(schedule.take(START + second))

    assert taken == dict.fromkeys(planned, 10)


@pytest.mark.parametrize(("interval", "waits"), [(20.0, 14.0), (5.0, 3.5), (10.0, 7.0)])
def test_another_interval_leaves_the_same_share_of_it_to_wait(
    interval: float, waits: float
) -> None:
    schedule = Schedule({"s": INTERVAL}, START, never)
    schedule.take(START)

    schedule.plan({"s": interval}, START + 3.0)

    assert schedule.next_at() == pytest.approx(START + 3.0 + waits)
    schedule.take(schedule.next_at())
    assert schedule.next_at() == pytest.approx(START + 3.0 + waits + interval)


def test_a_look_that_is_late_when_another_interval_comes_is_due_at_once() -> None:
    schedule = Schedule({"s": INTERVAL}, START, never)
    schedule.take(START)

    schedule.plan({"s": 3600.0}, START + 25.0)

    assert schedule.take(START + 25.0) == ["s"]


def test_so_it_is_with_jitter() -> None:
    schedule = Schedule({"s": 1.0}, START, lambda: 1.0)
    schedule.take(START)

    schedule.plan({"s": 30.0}, START + 1.06)

    assert schedule.next_at() == START + 1.05
    assert schedule.take(START + 1.06) == ["s"]
    assert START + 31.0 <= schedule.next_at() <= START + 32.5


def test_servers_that_go_are_looked_at_no_more_and_new_ones_within_their_interval() -> None:
    schedule = Schedule({"a": INTERVAL, "b": INTERVAL}, START, never)
    schedule.plan({"b": INTERVAL, "c": INTERVAL}, START + 1.0)

    after = looks(schedule, START + 12.0, cycle([0.0]))

    assert [(time - START, server) for time, server in after] == [(5.0, "b"), (6.0, "c")]


names = st.sampled_from(["a", "b", "c", "d"])
reloads = st.lists(
    st.tuples(st.floats(0, 20), st.dictionaries(names, st.sampled_from([0.2, 1.0, 7.3, 30.0]))),
    min_size=1,
    max_size=30,
)


@given(reloads, shares, st.lists(st.floats(0, 0.09), min_size=1, max_size=10))
def test_whatever_is_reloaded_every_server_is_looked_at_within_its_interval(
    story: list[tuple[float, dict[str, float]]], jitter: list[float], lateness: list[float]
) -> None:
    source, late = cycle(jitter), cycle(lateness)
    schedule = Schedule({}, START, lambda: next(source))
    planned: dict[str, float] = {}
    seen: dict[str, float] = {}  # when a server was looked at last, or came
    longest: dict[str, float] = {}  # the longest interval that it has had since
    now = START
    for pause, intervals in story:
        schedule.plan(intervals, now)
        seen = {server: seen.get(server, now) for server in intervals}
        longest = {s: max(longest.get(s, 0.0), interval) for s, interval in intervals.items()}
        planned = intervals
        until = now + pause
        for time, server in looks(schedule, until, late):
            assert time - seen[server] <= longest[server] * (1 + JITTER) + 0.09 + 1e-6
            seen[server], longest[server] = time, planned[server]
        now = max([until, *seen.values()])
        for server, at in seen.items():
            assert now - at <= longest[server] * (1 + JITTER) + 0.18 + 1e-6


def test_a_hurried_server_is_due_once_more_and_keeps_its_place() -> None:
    schedule = Schedule({"a": 10.0, "b": 10.0}, 0.0, lambda: 0.0)
    assert schedule.take(0.0) == ["a"]

    schedule.hurry("a", 0.5)
    schedule.hurry("a", 0.8)

    assert schedule.next_at() == 0.5
    assert schedule.take_hurried(0.4) == []
    assert schedule.take_hurried(0.6) == ["a"]
    assert schedule.take_hurried(9.0) == []
    assert schedule.take(5.0) == ["b"]
    assert schedule.take(10.0) == ["a"]


def test_a_server_that_a_reload_removed_is_not_hurried() -> None:
    schedule = Schedule({"a": 10.0, "b": 10.0}, 0.0, lambda: 0.0)
    schedule.hurry("a", 0.5)

    schedule.plan({"b": 10.0}, 0.1)

    assert schedule.take_hurried(1.0) == []
