"""The table of faults is whole: each row has its truth and its evidence, and says what it is."""

from __future__ import annotations

import pytest

from bench.faults.evidence import HEALTHY
from bench.faults.fault import Fault, Kind
from bench.faults.scoring import SERVERS
from bench.faults.table import FAULTS

FEWEST = 40


@pytest.fixture(params=FAULTS, ids=lambda fault: fault.name)
def fault(request: pytest.FixtureRequest) -> Fault:
    row: Fault = request.param
    return row


def test_there_are_enough_and_each_has_a_name_of_its_own() -> None:
    names = [fault.name for fault in FAULTS]

    assert len(names) >= FEWEST
    assert len(names) == len(set(names))


def test_every_kind_is_there() -> None:
    assert {fault.kind for fault in FAULTS} == set(Kind)


def test_the_truth_is_about_servers_that_there_are_each_once(fault: Fault) -> None:
    named = (*fault.out, *fault.open)

    assert set(named) | set(fault.shows) <= set(SERVERS)
    assert len(named) == len(set(named))


def test_only_a_control_removes_no_server_and_none_removes_all(fault: Fault) -> None:
    assert len(fault.out) < len(SERVERS)
    assert not fault.out if fault.kind is Kind.CONTROL else fault.out or fault.open


def test_each_server_that_must_go_has_a_probe_that_shows_why(fault: Fault) -> None:
    assert [each for each in fault.out if fault.shows.get(each, HEALTHY) is HEALTHY] == []


def test_a_compound_fault_strikes_more_than_what_must_go(fault: Fault) -> None:
    if fault.kind is Kind.COMPOUND:
        assert len(fault.shows) > 1
        assert len({wanted.what for wanted in fault.shows.values()}) > 1 or fault.out != tuple(
            fault.shows
        )


def test_each_row_says_what_it_does_in_a_sentence(fault: Fault) -> None:
    assert fault.injected
    assert fault.undone
    assert "|" not in fault.name + fault.injected + fault.undone, "it stands in a table"
    assert ";" not in fault.name, "it stands between names of --only"
