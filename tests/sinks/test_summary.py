"""The phrases that a person reads first name the servers, what befell them, and why."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from ldaphealth.model import CheckEffect, Reason, Snapshot, State
from ldaphealth.sinks.summary import cause_codes, names, problems, summary
from tests.sinks import snapshots
from tests.sinks.snapshots import TAKEN_AT, serving


@pytest.mark.parametrize(
    ("snapshot", "expected"),
    [
        pytest.param(snapshots.HEALTHY, [], id="nothing without problems"),
        pytest.param(snapshots.ONE_OUT, ["ldap3 out: bind.timeout"], id="who is out, and why"),
        pytest.param(
            snapshots.EIGHT, ["ldap3, ldap6 out: bind.timeout"], id="the same problem only once"
        ),
        pytest.param(
            snapshots.HELD_BY_FLOOR,
            ["ldap2 out: search.noSuchObject", "ldap1 held in by floor: search.noSuchObject"],
            id="who is out comes before who is held in",
        ),
        pytest.param(snapshots.DRAINED, ["ldap2 draining"], id="a drain has no reason"),
        pytest.param(snapshots.WARNED, ["ldap1: search.slow"], id="a warning of one in service"),
    ],
)
def test_troubles_are_listed_worst_first(snapshot: Snapshot, expected: list[str]) -> None:
    assert problems(snapshot) == expected


def test_of_many_servers_with_one_problem_the_first_are_named() -> None:
    many = Snapshot(TAKEN_AT, tuple(snapshots.silent(f"main/ldap{n}") for n in range(4)))

    assert problems(many, most_names=2) == ["ldap0, ldap1 and 2 more out: bind.timeout"]
    assert problems(many) == ["ldap0, ldap1, ldap2, ldap3 out: bind.timeout"]


def test_only_the_reasons_that_remove_a_server_are_named_for_it() -> None:
    silent = snapshots.silent("main/ldap1")
    watched = Reason(
        "monitor.ratio", "too many writes", State.CRITICAL, CheckEffect.WATCH, removes=False
    )
    slow = Reason("search.slow", "slow", State.WARNING, CheckEffect.OUT, removes=False)
    verdict = replace(silent, reasons=(watched, slow, *silent.reasons))

    assert problems(Snapshot(TAKEN_AT, (verdict,))) == ["ldap1 out: bind.timeout"]


def test_a_bad_state_without_reasons_is_still_listed() -> None:
    verdict = replace(serving("main/ldap1"), state=State.UNKNOWN, findings=())

    assert problems(Snapshot(TAKEN_AT, (verdict,))) == ["ldap1: UNKNOWN"]


def test_servers_in_service_are_counted() -> None:
    assert summary(snapshots.EIGHT) == "6 of 8 in service"


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        pytest.param(["a/x", "a/y"], ["x", "y"], id="the only cluster is omitted"),
        pytest.param(["a/x", "b/x"], ["a/x", "b/x"], id="two clusters do not"),
        pytest.param(["a/10.0.0.1:389"], ["10.0.0.1:389"], id="one server named by address"),
        pytest.param(["x", "x/y"], ["x", "x/y"], id="a name without a cluster stays whole"),
    ],
)
def test_names_are_as_short_as_is_unique(ids: list[str], expected: list[str]) -> None:
    shown = names(Snapshot(TAKEN_AT, tuple(map(serving, ids))))

    assert [shown[id_] for id_ in ids] == expected


LINK = Reason("consumer.not_connected", "", State.WARNING, CheckEffect.OUT, removes=False)
BEHIND = Reason("replication.behind", "", State.CRITICAL, CheckEffect.OUT, removes=True)
SPLIT = replace(BEHIND, code="replication.split", removes=False)


@pytest.mark.parametrize(
    ("state", "reasons", "expected"),
    [
        (State.OK, (), ""),
        (State.CRITICAL, (BEHIND,), "replication.behind"),
        (
            State.CRITICAL,
            (LINK, LINK, BEHIND, LINK),
            "replication.behind; also consumer.not_connected (3)",
        ),
        (
            State.CRITICAL,
            (LINK, SPLIT, BEHIND),
            "replication.behind; also replication.split, consumer.not_connected",
        ),
        (State.CRITICAL, (LINK, SPLIT), "replication.split; also consumer.not_connected"),
        (State.WARNING, (LINK, LINK), "consumer.not_connected (2)"),
    ],
)
def test_the_codes_that_remove_come_first_and_each_stands_once(
    state: State, reasons: tuple[Reason, ...], expected: str
) -> None:
    assert cause_codes(replace(serving("c/a"), state=state, reasons=reasons)) == expected
