"""Changes of the history, as the agent writes them, for tests of reports."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ldaphealth.history.availability import ServiceChange
from ldaphealth.history.availability_document import availability_document
from ldaphealth.report.period import Change, ReportPeriod, at_of
from ldaphealth.store.service_history import service_change
from ldaphealth.text.moment import moment

SINCE = 1_800_000_000.0  # 2027-01-15T08:00:00Z
UNTIL = SINCE + 86400.0
DRAIN = {
    "action": "drain",
    "by": "alice",
    "reason": "new kernel",
    "until": "2027-01-15T12:00:00.000Z",
}


def reason(code: str, summary: str = "no answer within 2 s", **more: Any) -> dict[str, Any]:
    return {
        "code": code,
        "summary": summary,
        "state": "CRITICAL",
        "effect": "out",
        "removes": True,
        "remedy": "",
        **more,
    }


def change(seconds: float, server: str, *reasons: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a change `seconds` after SINCE; out of service if a reason removes the server."""
    is_in = more.pop("in_service", not any(each["removes"] for each in reasons))
    verdict = {
        "server": server,
        "state": reasons[0]["state"] if reasons else "OK",
        "in_service": is_in,
        "weight": 100 if is_in else 0,
        "draining": False,
        "lasted_seconds": 0.0,
        "held_by": "",
        "held": "",
        "plain": is_in,
        "override_in_force": None,
        "reasons": [*reasons],
        "findings": [],
    }
    whole = {key: more.pop(key) for key in ("was_in_service", "override_ended") if key in more}
    return {
        "at": moment(SINCE + seconds, "milliseconds"),
        "was_in_service": whole.get("was_in_service", True),
        "lasted_seconds": 1.0,
        "override_ended": whole.get("override_ended"),
        "verdict": verdict | more,
    }


def gathered(changes: Sequence[Change], **more: Any) -> ReportPeriod:
    """Return what a report of a day is made of."""
    by_server: dict[str, list[ServiceChange]] = {}
    for each in [*more.get("before", {}).values(), *changes]:
        if verdict := each.get("verdict"):
            by_server.setdefault(verdict["server"], []).append(service_change(at_of(each), each))
    return ReportPeriod(
        target="",
        since=SINCE,
        until=UNTIL,
        changes=changes,
        read_since=SINCE,
        availability=availability_document(by_server, {"c": 1}, SINCE, UNTIL),
        **more,
    )
