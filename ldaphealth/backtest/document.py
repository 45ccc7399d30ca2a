"""What was decided, and what other settings would have decided, side by side, for JSON. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from ldaphealth.agent.replay import TimeSpan
from ldaphealth.backtest.course import Changes, Course
from ldaphealth.backtest.score import MarkedTime, Score, marked_times, score
from ldaphealth.backtest.share import Share
from ldaphealth.history.availability import OPERATOR, Availability, availability
from ldaphealth.history.incident import Incident
from ldaphealth.text.moment import moment

MOST_OUTAGES = 1000  # are listed of each server; all are counted


class Side(Struct, frozen=True):
    """One set of settings: a label, what they decided, and what of them could not be tried."""

    label: str
    course: Course
    left_out: Sequence[str] = ()


def backtest_document(
    cluster: str, sides: Sequence[Side], incidents: Iterable[Incident], period: TimeSpan
) -> dict[str, Any]:
    """Return the sides of one cluster, measured by the incidents that concern it."""
    marked = marked_times(incidents, cluster, period.since, period.until)
    return {
        "cluster": cluster,
        "since": moment(period.since),
        "until": moment(period.until),
        "incidents": [
            {
                "target": each.target,
                "from": moment(each.began),
                "to": moment(each.ended),
                "note": each.note,
            }
            for each in marked
        ],
        "sides": [_side(each, marked, period) for each in sides],
    }


def _side(side: Side, incidents: Sequence[MarkedTime], period: TimeSpan) -> dict[str, Any]:
    return {
        "settings": side.label,
        "left_out": list(side.left_out),
        "out_of_service": _outages(side.course.service, incidents, period),
        "critical": _outages(side.course.critical, incidents, period),
    }


def _outages(changes: Changes, incidents: Sequence[MarkedTime], period: TimeSpan) -> dict[str, Any]:
    """Return the outages by server, those by operators apart, and their score."""
    servers = {
        server: availability(changes[server], period.since, period.until)
        for server in sorted(changes)
    }
    causes: dict[str, int] = {}
    for each in servers.values():
        for cause, count in each.removals.items():
            causes[cause] = causes.get(cause, 0) + count
    found = score(servers, incidents, period.until)
    return {
        "outages": found.outages,
        "seconds": sum(_own_seconds(each) for each in servers.values()),
        "by_operators": causes.pop(OPERATOR, 0),
        "causes": dict(sorted(causes.items(), key=lambda each: (-each[1], each[0]))),
        "servers": [_server(server, each) for server, each in servers.items()],
        "score": score_document(found) if incidents else None,
    }


def _own_seconds(found: Availability) -> float:
    return sum(each.seconds for each in found.outages if OPERATOR not in each.causes)


def _server(server: str, found: Availability) -> dict[str, Any]:
    return {
        "server": server,
        "known_seconds": found.known_seconds,
        "out_seconds": found.out_seconds,
        "outages": len(found.outages),
        "times": [
            {
                "began": moment(each.began),
                "ended": moment(each.ended),
                "causes": list(each.causes),
            }
            for each in found.outages[:MOST_OUTAGES]
        ],
    }


def score_document(found: Score) -> dict[str, Any]:
    """Return a confusion matrix with its shares and their 95 % confidence intervals."""
    return {
        "found": found.found,
        "missed": found.missed,
        "in_incidents": found.in_incidents,
        "false_hours": found.false_hours,
        "quiet_hours": found.quiet_hours,
        "found_after_seconds": found.found_after_seconds,
        **dict(_shares(found)),
    }


def _shares(found: Score) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name in ("sensitivity", "specificity", "predictive_value"):
        share: Share = getattr(found, name)
        yield name, {"ratio": share.ratio, "interval": share.interval}
