"""Which incidents concern a target and a period."""

from __future__ import annotations

import pytest

from ldaphealth.history.incident import Incident, within_period


def incident(target: str, began: float, ended: float | None, number: int = 1) -> Incident:
    return Incident(id=number, target=target, began=began, ended=ended, note="slow")


@pytest.mark.parametrize(
    ("of", "target", "expected"),
    [
        ("c/a", "", True),
        ("c/a", "c", True),
        ("c/a", "c/a", True),
        ("c/a", "c/b", False),
        ("c", "c/a", True),
        ("c", "c2/a", False),
        ("c2", "c", False),
        ("c/a", "c/ab", False),
    ],
)
def test_an_incident_concerns_its_target_and_what_is_in_it(
    of: str, target: str, expected: bool
) -> None:
    assert incident(of, 0.0, None).is_of(target) is expected


@pytest.mark.parametrize(
    ("began", "ended", "expected"),
    [(0, 10, False), (0, 11, True), (5, None, True), (15, 16, True), (20, 30, False)],
)
def test_an_incident_belongs_to_the_periods_in_which_it_lasted(
    began: float, ended: float | None, expected: bool
) -> None:
    found = within_period([incident("c", began, ended)], "c", 10.0, 20.0)

    assert bool(found) is expected


def test_incidents_of_a_period_are_in_the_order_of_their_beginning() -> None:
    found = [incident("c", 3.0, 9.0, 1), incident("c", 2.0, 9.0, 2), incident("c", 3.0, 4.0, 3)]

    assert [each.id for each in within_period(found, "", 0.0, 10.0)] == [2, 1, 3]


@pytest.mark.parametrize(("at", "expected"), [(1.0, False), (2.0, True), (2.9, True), (3.0, False)])
def test_the_end_is_no_part_of_an_incident(at: float, expected: bool) -> None:
    assert incident("c", 2.0, 3.0).has(at) is expected
    assert incident("c", 2.0, None).has(at) is (at >= 2.0)
