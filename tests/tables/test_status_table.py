"""The status table: a verdict that is no longer fresh is shown as such."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import to_builtins
from msgspec.structs import replace

from ldaphealth.model import Finding, Metric, OverrideNote, State
from ldaphealth.sinks.json_document import snapshot_document
from ldaphealth.tables.status_table import render_status
from ldaphealth.tables.terminal import as_text
from tests.page.views import HEALTH
from tests.sinks.snapshots import HEALTHY, ONE_OUT, serving, silent


def text(shown: Any, valid_seconds: dict[str, float]) -> str:
    whole = shown | {
        "valid_seconds": valid_seconds,
        "overrides": {},
        "agent": to_builtins(HEALTH),
        "listens": {},
    }
    return as_text(render_status(whole), width=160, colour=False)


def test_fresh_verdicts_are_counted() -> None:
    valid = {each.server: 9.0 for each in ONE_OUT.verdicts}

    assert "3 of 4 servers in service" in text(snapshot_document(ONE_OUT), valid)
    assert "no fresh verdict" not in text(snapshot_document(ONE_OUT), valid)


def test_a_stale_verdict_is_no_verdict() -> None:
    shown = text(
        snapshot_document(HEALTHY), {"main/ldap1": 9.0, "main/ldap2": -3.0, "main/ldap3": 0.0}
    )

    assert "1 of 4 servers in service" in shown
    assert shown.count("no fresh verdict") == 3  # also where the agent does not say that it holds


def test_a_broken_floor_has_a_line() -> None:
    line = "main: 1 of 4 servers in service, fewer than min_in_service (2); out by override: ldap2"
    whole = snapshot_document(ONE_OUT)

    assert line not in text(whole, {})
    assert line in text(whole | {"below_floor": [{"summary": line}]}, {}).splitlines()


def test_what_a_shadow_would_have_done_has_a_line_where_it_differs() -> None:
    whole = snapshot_document(HEALTHY)
    shadow = {"main/ldap1": {"would": "would have removed ldap1"}, "main/ldap2": {"would": ""}}
    fresh = text(whole | {"shadow": shadow}, {"main/ldap1": 9.0, "main/ldap2": 9.0})

    assert fresh.count("shadow:") == 1
    assert "    shadow: would have removed ldap1" in fresh
    assert "shadow:" not in text(whole | {"shadow": shadow}, {"main/ldap1": -1.0})


def test_a_drained_server_is_no_failure_of_its_own() -> None:
    drained = replace(serving("main/ldap4"), in_service=False, weight=0, draining=True)
    whole = snapshot_document(replace(HEALTHY, verdicts=(drained,)))

    assert "draining" in text(whole, {"main/ldap4": 9.0})


def test_an_operators_order_stands_beside_the_rule_that_does_it() -> None:
    note = OverrideNote(action="in", by="alice", reason="because", until_epoch=1_800_000_000.0)
    forced = replace(serving("main/ldap4"), held_by="override", override=note)
    whole = snapshot_document(replace(HEALTHY, verdicts=(forced,)))
    order = {"will": "in", "left_seconds": 90.0, "reason": "because"}
    shown = whole | {
        "valid_seconds": {"main/ldap4": 9.0},
        "overrides": {"main/ldap4": order},
        "agent": to_builtins(HEALTH),
    }

    drawn = as_text(render_status(shown), width=160, colour=False)

    words = "forced in by alice until 2027-01-15T08:00:00Z: because"
    assert f"    held by override, 1 min 30 s left: {words}" in drawn.splitlines()


ALL = {each.server: 9.0 for each in ONE_OUT.verdicts}


def test_the_worst_server_is_the_first_and_the_last_line_says_what_is_wrong() -> None:
    lines = text(snapshot_document(ONE_OUT), ALL).splitlines()

    assert lines[0].split() == ["SERVER", "STATE", "SERVICE", "FOR", "WEIGHT", "ROLE", "LAG"]
    assert lines[1].split()[:3] == ["main/ldap3", "CRITICAL", "OUT"]
    assert lines[-2] == "what to do: ldaphealth explain main/ldap3"
    assert lines[-1].startswith("3 of 4 servers in service, 1 critical: bind.timeout")


def test_a_drained_server_that_is_well_stands_below_one_that_is_not() -> None:
    note = OverrideNote(action="drain")
    drained = replace(serving("c/a"), in_service=False, draining=True, override=note)
    back = replace(serving("c/b"), in_service=False, held_by="settle")
    warned = replace(serving("c/c"), state=State.WARNING)
    whole = snapshot_document(replace(HEALTHY, verdicts=(drained, warned, back)))

    shown = text(whole, {"c/a": 9.0, "c/b": 9.0, "c/c": 9.0})

    assert [line.split()[0] for line in shown.splitlines()[1:5] if "c/" in line.split()[0]] == [
        "c/b",
        "c/c",
        "c/a",
    ]


@pytest.mark.parametrize(
    ("name", "seconds", "lag"),
    [("behind_seconds", 0.0, "0 s"), ("split_seconds", 4.6, "split 4.6 s"), ("other", 9.0, "-")],
)
def test_the_lag_of_a_server_is_what_its_replication_lacks(
    name: str, seconds: float, lag: str
) -> None:
    metric = Metric(name, seconds, label="001")
    finding = Finding(
        server="c/a", check="replication", state=State.OK, code="ok", summary="", metrics=(metric,)
    )
    verdict = replace(serving("c/a"), findings=(finding,))
    whole = snapshot_document(replace(HEALTHY, verdicts=(verdict,)))

    row = text(whole | {"roles": {"c/a": "consumer"}}, {"c/a": 9.0}).splitlines()[1]

    assert row.endswith(f"consumer  {lag}")


@pytest.mark.parametrize("width", [40, 60, 80, 100])
def test_no_name_is_broken_whatever_the_width(width: int) -> None:
    name = "example/a-server-with-a-rather-long-name"
    whole = snapshot_document(replace(HEALTHY, verdicts=(silent(name),)))
    shown = whole | {
        "valid_seconds": {name: 9.0},
        "overrides": {},
        "agent": to_builtins(HEALTH),
    }

    lines = as_text(render_status(shown), width=width, colour=False).splitlines()

    is_table = width > 80
    assert lines[1 if is_table else 0].startswith(name)
    assert lines[0].startswith("SERVER") == is_table
    assert any("CRITICAL bind.timeout" in line for line in lines)
