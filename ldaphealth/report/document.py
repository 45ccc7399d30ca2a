"""The document of a report: what `ldaphealth report --format json` prints, and Markdown shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from ldaphealth.reason_codes import row_of
from ldaphealth.report.holds import held_verdicts, overrides
from ldaphealth.report.incident_times import incident_entry
from ldaphealth.report.outages import ServerOutage
from ldaphealth.report.period import ReportPeriod
from ldaphealth.report.timeline import timeline
from ldaphealth.report.verdict_words import bad_reasons
from ldaphealth.text.moment import moment

MOST_EVENTS = 200
MOST_HOLDS = 20
MOST_CODES = 20


class OutageDetail(Struct, frozen=True, kw_only=True):
    """What else is known of an outage.

    `seen` is the explanation of the moment (`explain --at`), None if `problem` says why there is
    none. `times` has the times of `check` before, during and after it, and by the minute around it.
    """

    seen: Mapping[str, Any] | None = None
    problem: str = ""
    check: str = ""
    times: Mapping[str, Any] = {}


def period_document(
    gathered: ReportPeriod,
    outages: Sequence[ServerOutage],
    details: Sequence[tuple[ServerOutage, OutageDetail]],
) -> dict[str, Any]:
    """Return the document; `outages` are all of the period, `details` those that are shown."""
    held = held_verdicts(gathered)
    return {
        "target": gathered.target,
        "since": moment(gathered.since),
        "until": moment(gathered.until),
        "availability": gathered.availability,
        "incidents": [incident_entry(each, outages, gathered.until) for each in gathered.incidents],
        "outages": [_outage(each, detail) for each, detail in details],
        "outages_left_out": len(outages) - len(details),
        "overrides": overrides(gathered),
        "held": held[:MOST_HOLDS],
        "held_left_out": len(held[MOST_HOLDS:]),
        "timeline": timeline(gathered, MOST_EVENTS).document(),
        "times": list(gathered.times),
        "starts": list(gathered.starts),
        "remedies": _remedies(gathered),
        "changes": len(gathered.changes),
        "changes_read_since": moment(gathered.read_since),
        "problems": list(gathered.problems),
    }


def _outage(found: ServerOutage, detail: OutageDetail) -> dict[str, Any]:
    outage = found.outage
    return {
        "server": found.server,
        "began": moment(outage.began, "milliseconds"),
        "has_begun": outage.has_begun,
        "ended": moment(outage.ended, "milliseconds") if outage.has_ended else None,
        "seconds": outage.seconds,
        "causes": list(outage.causes),
        "verdict": found.changes[0]["verdict"],
        "verdicts": len(found.changes),
        "seen": detail.seen,
        "seen_problem": detail.problem,
        "check": detail.check,
        "times": dict(detail.times),
    }


def _remedies(gathered: ReportPeriod) -> list[dict[str, Any]]:
    """Return for each code what it means and what to do, those first that removed most often.

    `remedy` has the values of one server, and `servers` are all that had the code.
    """
    counts: Counter[str] = Counter()
    servers: dict[str, dict[str, str]] = {}
    for change in [*gathered.before.values(), *gathered.changes]:
        verdict = change.get("verdict") or {"reasons": ()}
        for reason in bad_reasons(verdict):
            counts[reason["code"]] += 1000 if reason.get("removes") else 1
            servers.setdefault(reason["code"], {})[verdict["server"]] = reason.get("remedy", "")
    return [
        {
            "code": code,
            "means": "" if (row := row_of(code)) is None else row.means,
            "remedy": next(filter(None, servers[code].values()), "" if row is None else row.remedy),
            "servers": sorted(servers[code]),
        }
        for code, _ in counts.most_common(MOST_CODES)
    ]
