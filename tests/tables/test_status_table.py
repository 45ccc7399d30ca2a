"""The status table: a verdict that is no longer fresh is shown as such."""

from __future__ import annotations

from typing import Any

from msgspec import to_builtins
from msgspec.structs import replace

from ldaphealth.sinks.json_document import snapshot_document
from ldaphealth.tables.status_table import render_status
from ldaphealth.tables.terminal import as_text
from tests.page.views import HEALTH
from tests.sinks.snapshots import HEALTHY, ONE_OUT, serving


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


def test_a_drained_server_is_no_failure_of_its_own() -> None:
    drained = replace(serving("main/ldap4"), in_service=False, weight=0, draining=True)
    whole = snapshot_document(replace(HEALTHY, verdicts=(drained,)))

    assert "draining" in text(whole, {"main/ldap4": 9.0})


def test_an_operators_order_stands_beside_the_rule_that_does_it() -> None:
    forced = replace(serving("main/ldap4"), held_by="override")
    whole = snapshot_document(replace(HEALTHY, verdicts=(forced,)))
    order = {"will": "in", "left_seconds": 90.0, "reason": "because"}
    shown = whole | {
        "valid_seconds": {"main/ldap4": 9.0},
        "overrides": {"main/ldap4": order},
        "agent": to_builtins(HEALTH),
    }

    drawn = as_text(render_status(shown), width=160, colour=False)

    assert "override (in, 1 min 30 s left): because" in drawn
