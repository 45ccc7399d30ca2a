"""How long servers were in service, from the changes of their verdicts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaphealth.history.availability import (
    Outage,
    ServiceChange,
    availability,
    cluster_availability,
)

IN, OUT = True, False


def changes(*of: tuple[float, bool], causes: tuple[str, ...] = ()) -> list[ServiceChange]:
    return [ServiceChange(at, here, () if here else causes) for at, here in of]


@pytest.mark.parametrize(
    ("seen", "known_seconds", "outages"),
    [
        pytest.param([], 0, [], id="nothing is known"),
        pytest.param([(0, IN)], 100, [], id="always in"),
        pytest.param([(150, IN)], 50, [], id="known from its first verdict on"),
        pytest.param([(0, IN), (250, OUT)], 100, [], id="later than the period"),
        pytest.param(
            [(0, OUT)], 100, [Outage(began=100, ended=200, has_begun=False, has_ended=False)]
        ),
        pytest.param(
            [(0, IN), (120, OUT), (130, OUT), (150, IN)], 100, [Outage(began=120, ended=150)]
        ),
        pytest.param(
            [(100, OUT), (150, IN), (190, OUT)],
            100,
            [Outage(began=100, ended=150), Outage(began=190, ended=200, has_ended=False)],
        ),
        pytest.param(
            [(0, IN), (160, OUT), (130, IN), (170, OUT)],
            100,
            [Outage(began=170, ended=200, has_ended=False)],
            id="the time of day was set back",
        ),
    ],
)
def test_one_server(
    seen: list[tuple[float, bool]], known_seconds: float, outages: list[Outage]
) -> None:
    found = availability(changes(*seen), 100.0, 200.0)

    assert found.known_seconds == known_seconds
    assert list(found.outages) == outages


def test_removals_are_counted_by_cause_and_only_those_of_the_period() -> None:
    seen = [
        ServiceChange(0, OUT, ("search.timeout",)),
        ServiceChange(110, IN),
        ServiceChange(120, OUT, ("connect.connect",)),
        ServiceChange(130, OUT, ("bind.timeout",)),
        ServiceChange(140, IN),
        ServiceChange(150, OUT, ("operator",)),
        ServiceChange(151, IN),
        ServiceChange(152, OUT, ("operator", "connect.connect")),
    ]

    found = availability(seen, 100.0, 200.0)

    assert dict(found.removals) == {"connect.connect": 2, "operator": 2}
    assert list(found.removals) == ["connect.connect", "operator"]
    assert found.out_seconds == 10 + 20 + 1 + 48
    assert found.share == pytest.approx(1 - 0.79)
    assert found.longest is not None
    assert found.longest.seconds == 48


def test_nothing_known_has_no_share() -> None:
    assert availability((), 0.0, 10.0).share is None
    assert availability((), 0.0, 10.0).longest is None


def test_a_cluster_needs_some_of_its_servers() -> None:
    one = changes((0, IN), (120, OUT), (140, IN), causes=("a.b",))
    two = changes((0, IN), (130, OUT), (160, IN), causes=("c.d",))

    found = cluster_availability({"1": one, "2": two}, 1, 100.0, 200.0)
    assert list(found.outages) == [Outage(began=130, ended=140, causes=("a.b", "c.d"))]
    found = cluster_availability({"1": one, "2": two}, 2, 100.0, 200.0)
    assert list(found.outages) == [Outage(began=120, ended=160, causes=("a.b",))]
    assert cluster_availability({}, 1, 100.0, 200.0).known_seconds == 0


MOMENTS = st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=12).map(
    lambda of: sorted(of, key=lambda each: each[0])
)


def newest(seen: list[tuple[int, bool]], at: float) -> bool | None:
    """Return whether a server is in service at a moment; None before its first verdict."""
    return next((here for moment, here in reversed(seen) if moment <= at), None)


@given(st.lists(MOMENTS, max_size=4), st.integers(0, 5), st.integers(0, 20), st.integers(1, 20))
def test_it_is_what_counting_seconds_gives(
    servers: list[list[tuple[int, bool]]], least: int, since: int, length: int
) -> None:
    until = since + length
    seconds = [each + 0.5 for each in range(since, until)]
    named = {str(number): changes(*seen) for number, seen in enumerate(servers)}
    for number, seen in enumerate(servers):
        found = availability(named[str(number)], since, until)
        states = [newest(seen, at) for at in seconds]
        assert found.known_seconds == sum(each is not None for each in states)
        assert found.out_seconds == states.count(OUT)

    whole = cluster_availability(named, least, since, until)
    known = [[newest(seen, at) for seen in servers] for at in seconds]
    known = [each for each in known if sum(state is not None for state in each) >= max(least, 1)]
    assert whole.known_seconds == len(known)
    assert whole.out_seconds == sum(each.count(IN) < least for each in known)
