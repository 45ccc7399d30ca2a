"""The lines of `ldaphealth history`."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from ldaphealth.cli.history_lines import history_lines
from ldaphealth.model import CheckEffect, OverrideNote, Reason, State, Verdict
from ldaphealth.sinks.json_document import verdict_document

WELL = Verdict(server="c/a", state=State.OK, in_service=True, weight=100)
SPLIT = Reason("replication.split", "", State.WARNING, CheckEffect.OUT, removes=False)
LINK = replace(SPLIT, code="consumer.not_connected")
BEHIND = replace(SPLIT, code="replication.behind", state=State.CRITICAL, removes=True)


def change(at: str, verdict: Verdict) -> dict[str, Any]:
    return {"at": f"2026-11-27T08:{at}Z", "verdict": verdict_document(verdict)}


def test_a_line_has_the_state_and_one_of_a_healthy_server_says_so() -> None:
    warned = replace(WELL, state=State.WARNING, reasons=(SPLIT,))
    critical = replace(
        warned, state=State.CRITICAL, reasons=(replace(SPLIT, state=State.CRITICAL),)
    )

    lines = [
        *history_lines(
            [change(f"2{n}:00", each) for n, each in enumerate((WELL, critical, warned))]
        )
    ]

    assert lines == [
        "2026-11-27T08:20:00Z  in        OK        c/a  all checks are OK",
        "2026-11-27T08:21:00Z  in        CRITICAL  c/a  replication.split",
        "2026-11-27T08:22:00Z  in        WARNING   c/a  replication.split",
    ]


def test_the_reason_that_removes_is_the_first_and_the_others_are_counted() -> None:
    out = replace(WELL, state=State.CRITICAL, in_service=False, reasons=(LINK, LINK, BEHIND, LINK))

    (line,) = history_lines([change("20:00", out)])

    assert line.split("  ", 1)[1] == (
        "OUT       CRITICAL  c/a  replication.behind; also consumer.not_connected (3)"
    )


def test_a_hold_that_ended_at_once_has_no_line_unless_an_operator_ordered_it() -> None:
    out = replace(WELL, state=State.CRITICAL, in_service=False, reasons=(BEHIND,))
    held = replace(out, in_service=True, held_by="blind")
    ordered = replace(held, held_by="override", override=OverrideNote(action="in", by="alice"))

    def number(*verdicts: Verdict, apart: str = "20:00.028") -> int:
        newest, before = verdicts
        return len([*history_lines([change(apart, newest), change("20:00.000", before)])])

    assert number(out, held) == 1
    assert number(out, held, apart="20:01.100") == 2
    assert number(out, ordered) == 2
    assert number(WELL, held) == 2  # another reason


def test_a_server_that_was_not_probed_yet_says_so() -> None:
    (line,) = history_lines([change("20:00", replace(WELL, state=State.UNKNOWN))])

    assert line.endswith("UNKNOWN   c/a  not probed yet")


def test_a_new_baseline_is_a_line() -> None:
    baseline = {"cluster": "c", "accepted_by": "operator", "summary": "as now"}

    (line,) = history_lines([{"at": "2026-11-27T08:20:00Z", "baseline": baseline}])

    assert line.split() == ["2026-11-27T08:20:00Z", "baseline", "c", "by", "operator:", "as", "now"]
