"""The last hour of one check, by the minute."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaphealth.live.live_server import CHECKS_BY_MINUTE
from ldaphealth.live.live_state import LiveState
from ldaphealth.live.recent_times import KEPT_MINUTES, MINUTE_SECONDS, GrowingHour, LastHour
from ldaphealth.model import AnyObservation, Observation, State, Verdict
from ldaphealth.publishers.publication import Publication


def hour(*looks: tuple[float, float]) -> LastHour:
    """Return the hour of checks, each given by its time and its seconds."""
    found = GrowingHour()
    for at, seconds in looks:
        found.add(at, seconds)
    return found.so_far()


def test_looks_of_one_minute_are_one_point() -> None:
    (point,) = hour((60.0, 0.5), (90.0, 0.5), (119.9, 2.0)).points()

    assert (point.minute, point.count, point.most) == (1, 3, 2.0)
    assert point.p50 == pytest.approx(0.5, rel=0.05)
    assert point.p95 == 2.0


def test_a_minute_without_a_look_has_no_point() -> None:
    assert [point.minute for point in hour((0.0, 1.0), (300.0, 1.0)).points()] == [0, 5]


def test_a_round_that_lands_late_counts_in_the_minute_that_is_open() -> None:
    (first, second) = hour((0.0, 1.0), (60.0, 1.0), (59.0, 9.0)).points()

    assert (first.count, second.count, second.most) == (1, 2, 9.0)


def test_what_is_older_is_not_since() -> None:
    found = hour(*((minute * 60.0, 1.0) for minute in range(10)))

    assert [point.minute for point in found.since(7)] == [7, 8, 9]


def test_nothing_was_seen_yet() -> None:
    assert LastHour().points() == ()


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 600)), max_size=200))
def test_no_more_than_an_hour_is_kept_in_order(looks: list[tuple[float, float]]) -> None:
    points = hour(*looks).points()
    minutes = [point.minute for point in points]

    assert len(points) <= KEPT_MINUTES
    assert minutes == sorted(set(minutes))
    assert all(point.p50 <= point.p95 <= point.most for point in points)


def test_the_board_keeps_some_checks_by_the_minute_with_all_operations_of_a_look() -> None:
    live_state = LiveState()
    seen: list[AnyObservation] = [
        Observation(
            server="c/a",
            check="write",
            started_at=59.0,
            duration_seconds=2.0,
            timings={"modify": 0.25, "compare": 0.5},
        ),
        Observation(
            server="c/a",
            check="monitor",
            started_at=59.0,
            duration_seconds=2.0,
            timings={"search": 0.5},
        ),
        Observation(
            server="c/a", check="bind", started_at=59.0, duration_seconds=2.0
        ),  # nothing was timed
    ]
    live_state.publish(
        Publication(
            cluster="c",
            verdicts={"c/a": Verdict(server="c/a", state=State.OK, in_service=True, weight=100)},
            due={},
            changes=(),
            seen=seen,
        )
    )
    hours = live_state.view.clusters["c"]["c/a"].hours

    assert {check: each.points()[0].most for check, each in hours.items()} == {"write": 0.75}
    assert hours["write"].minute == 1  # when it was complete


@pytest.mark.parametrize("servers", [100])
def test_an_hour_of_many_servers_is_a_few_mebibytes(servers: int) -> None:
    tracemalloc.start()
    try:
        found = [
            hour(*((minute * MINUTE_SECONDS, 0.001 * minute) for minute in range(KEPT_MINUTES)))
            for _ in range(servers * len(CHECKS_BY_MINUTE))
        ]
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert len(found[0].points()) == KEPT_MINUTES
    assert size < 6 << 20
