"""The confusion matrix of outages and incidents, by a table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaphealth.backtest.score import MarkedTime, Score, marked_times, score
from ldaphealth.clocks import HOUR_SECONDS
from ldaphealth.history.availability import OPERATOR, Availability, Outage
from ldaphealth.history.incident import Incident

DAY = 24 * HOUR_SECONDS
Hours = tuple[float, float]  # from and to


def availability(*outages: Hours, causes: tuple[str, ...] = ("search.slow",)) -> Availability:
    """Return a day with outages."""
    return Availability(
        known_seconds=DAY - 1.0,
        outages=tuple(
            Outage(began=began * HOUR_SECONDS, ended=ended * HOUR_SECONDS, causes=causes)
            for began, ended in outages
        ),
    )


def incident(target: str, began: float, ended: float) -> MarkedTime:
    return MarkedTime(target, began * HOUR_SECONDS, ended * HOUR_SECONDS)


def scored(servers: dict[str, Availability], *incidents: MarkedTime) -> Score:
    return score(servers, incidents, DAY - 1.0)


# found, missed, hours with a false outage, outages in incidents, median delay in hours
CASES: dict[str, tuple[dict[str, Availability], tuple[MarkedTime, ...], tuple[object, ...]]] = {
    "found": (
        {"c/a": availability((3.5, 4.0)), "c/b": availability()},
        (incident("c/a", 3.25, 5.0),),
        (1, 0, 0, 1, 0.25),
    ),
    "another server is false": (
        {"c/a": availability(), "c/b": availability((3.5, 3.75))},
        (incident("c/a", 3.25, 5.0),),
        (0, 1, 1, 0, None),
    ),
    "of the cluster": (
        {"c/a": availability(), "c/b": availability((3.5, 3.75))},
        (incident("c", 3.25, 5.0),),
        (1, 0, 0, 1, 0.25),
    ),
    "already out": (
        {"c/a": availability((1.0, 8.0))},
        (incident("c/a", 3.0, 4.0),),
        (1, 0, 6, 1, 0.0),
    ),
    "long after": (
        {"c/a": availability((9.5, 9.6))},
        (incident("c/a", 3.0, 4.0),),
        (0, 1, 1, 0, None),
    ),
    "just after": (
        {"c/a": availability((4.01, 4.02))},
        (incident("c/a", 3.0, 4.0),),
        (1, 0, 0, 1, 1.01),
    ),
    "an operator": (
        {"c/a": availability((3.5, 9.0), causes=(OPERATOR,))},
        (incident("c/a", 3.0, 4.0),),
        (0, 1, 0, 0, None),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_matrix(name: str) -> None:
    servers, incidents, expected = CASES[name]
    found = scored(servers, *incidents)
    delay = found.found_after_seconds
    hours = None if delay is None else pytest.approx(delay / HOUR_SECONDS)
    got = (found.found, found.missed, found.false_hours, found.in_incidents, hours)
    assert got == expected
    assert found.sensitivity.of == len(incidents)
    touched = sum(
        len({h for h in range(24) if each.began / 3600 < h + 1 and (each.ended + 60) / 3600 >= h})
        for each in incidents
        for server in servers
        if each.is_of(server)
    )
    assert found.specificity.of == 24 * len(servers) - touched


@given(st.lists(st.tuples(st.integers(0, 22), st.integers(1, 100)), max_size=5))
def test_counts_are_never_negative(times: list[tuple[int, int]]) -> None:
    outages = [(hour + part / 200, hour + part / 150) for hour, part in times]
    found = scored({"c/a": availability(*outages)}, incident("c/a", 5.5, 6.5))
    assert min(found.false_hours, found.quiet_hours, found.missed, found.in_incidents) >= 0
    assert found.in_incidents <= found.outages == len(times)


def test_an_incident_is_cut_at_the_period_and_may_still_last() -> None:
    lasting = Incident(id=1, target="c/a", began=50.0, ended=None, note="x")
    other = Incident(id=2, target="d", began=50.0, ended=60.0, note="x")
    past = Incident(id=3, target="c", began=50.0, ended=90.0, note="x")
    assert marked_times([lasting, other, past], "c", 100.0, 200.0) == [
        MarkedTime("c/a", 100.0, 200.0, "x")
    ]
