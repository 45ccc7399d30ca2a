"""The weight and the service state in the output of `explain`."""

from __future__ import annotations

import pytest

from ldaphealth.control.explanation import GuardedDocument
from ldaphealth.control.explanation_lines import (
    _by_hand_lines,
    _remedy_lines,
    _share_lines,
    verdict_lines,
)
from ldaphealth.reason_codes import ROWS


@pytest.mark.parametrize(
    ("share", "leaning", "leaning_to", "lines"),
    [
        (1.0, 0, 1.0, []),
        (1.0, 2, 0.5, ["  has 100% of its weight; 2 rounds in a row call for 50%"]),
        (0.25, 0, 0.25, ["  has 25% of its weight"]),
        (0.5, 1, 1.0, ["  has 50% of its weight; 1 round in a row calls for 100%"]),
    ],
)
def test_a_weight_that_is_not_full_or_changes_soon_is_shown(
    share: float, leaning: int, leaning_to: float, lines: list[str]
) -> None:
    past = GuardedDocument(weight_share=share, leaning_rounds=leaning, leaning_to_share=leaning_to)

    assert _share_lines(past) == lines


@pytest.mark.parametrize(
    ("in_service", "draining", "side"),
    [(True, False, "in service"), (False, True, "draining"), (False, False, "OUT of service")],
)
def test_the_service_state_has_the_same_text_as_in_other_commands(
    in_service: bool, draining: bool, side: str
) -> None:
    verdict = {
        "server": "c/a",
        "in_service": in_service,
        "draining": draining,
        "weight": 7,
        "held_by": "",
        "reasons": [],
    }

    assert verdict_lines(verdict) == [f"VERDICT  c/a {side}, weight 7"]


def test_operations_of_a_workload_are_shown_as_commands() -> None:
    seen = [
        {"check": "connect", "facts": {}},
        {"check": "staff", "facts": {"by_hand": {"b": "ldapcompare ...", "a": "ldapsearch ..."}}},
    ]

    assert _by_hand_lines(seen) == [
        "",
        "OPERATIONS to repeat by hand",
        "  staff a: ldapsearch ...",
        "  staff b: ldapcompare ...",
    ]
    assert _by_hand_lines(seen[:1]) == []


@pytest.mark.parametrize("code", ["bind.timeout", "staff.entries"])
def test_what_to_do_is_below_a_finding(code: str) -> None:
    remedy = ROWS[code.partition(".")[2]].remedy

    assert _remedy_lines(code, {"state": "CRITICAL"}) == [f"            what to do: {remedy}"]


@pytest.mark.parametrize(
    ("code", "state"), [("bind.ok", "OK"), ("monitor.idle", "OK"), ("theirs.broken", "CRITICAL")]
)
def test_nothing_is_below_what_is_well_or_of_another_package(code: str, state: str) -> None:
    assert _remedy_lines(code, {"state": state}) == []


def test_a_verdict_of_the_past_has_what_to_do_below_each_reason() -> None:
    reason = {"state": "CRITICAL", "code": "bind.timeout", "summary": "no answer"}
    verdict = {
        "server": "c/a",
        "in_service": True,
        "draining": False,
        "weight": 7,
        "held_by": "",
        "reasons": [reason],
    }

    assert len(verdict_lines(verdict)) == 2
    assert verdict_lines(verdict, has_remedies=True)[1:] == [
        "  CRITICAL  bind.timeout: no answer",
        f"            what to do: {ROWS['timeout'].remedy}",
    ]
