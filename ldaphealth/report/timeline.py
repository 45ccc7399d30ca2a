"""What happened in a period, in one order: verdicts, overrides, baselines, incidents, the agent.

It is bounded. What matters least is left out first, then what is oldest; it says how much.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import Any

from msgspec import Struct

from ldaphealth.clocks import EpochSeconds
from ldaphealth.history.incident import Incident
from ldaphealth.history.passing_holds import is_passing_hold
from ldaphealth.report.period import Change, Document, ReportPeriod, at_of, of_servers
from ldaphealth.report.verdict_words import reasons_words, rule_words, side_words
from ldaphealth.text.duration import rounded_duration
from ldaphealth.text.moment import moment
from ldaphealth.text.override_words import ended_override_words, override_words


class Rank(IntEnum):
    """What a row is about, the most important first; the words are in `LEFT_OUT`."""

    SERVICE = 0
    HELD = 1
    STATE = 2
    SHADOW = 3


LEFT_OUT = {
    Rank.SERVICE: "of service, overrides, incidents or the agent",
    Rank.HELD: "of the rule that holds a server",
    Rank.STATE: "of state or reasons alone",
    Rank.SHADOW: "of a shadow",
}


class Event(Struct, frozen=True, kw_only=True):
    """A row: when, what it is of ("" of the agent), what happened, and why, as one line each."""

    at: EpochSeconds
    subject: str
    what: str
    why: str = ""
    rank: Rank = Rank.SERVICE


class Timeline(Struct, frozen=True):
    """The rows that are kept, oldest first, and how many are left out by their rank."""

    events: Sequence[Event]
    left_out: dict[Rank, int]

    def document(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "events": [
                {
                    "at": moment(each.at, "milliseconds"),
                    "subject": each.subject,
                    "what": each.what,
                    "why": each.why,
                }
                for each in self.events
            ],
            "left_out": {LEFT_OUT[rank]: count for rank, count in sorted(self.left_out.items())},
        }


def timeline(gathered: ReportPeriod, most: int) -> Timeline:
    """Return at most so many events of a period."""
    events = sorted(
        [
            *_of_verdicts(gathered),
            *_of_others(gathered.changes),
            *(row for each in gathered.incidents for row in _of_incident(each, gathered)),
            *map(_of_start, gathered.starts),
        ],
        key=lambda each: (each.at, each.subject != ""),  # the agent before its verdicts
    )
    newest_first = range(len(events) - 1, -1, -1)
    ranked = sorted(newest_first, key=lambda place: events[place].rank)
    kept = set(ranked[:most])
    return Timeline(
        [each for place, each in enumerate(events) if place in kept],
        dict(Counter(events[place].rank for place in ranked[most:])),
    )


def _of_others(changes: Sequence[Change]) -> Iterator[Event]:
    """Yield the new baselines and what shadows would have changed."""
    for change in changes:
        if baseline := change.get("baseline"):
            by = "an operator" if baseline["accepted_by"] == "operator" else "agreement"
            what = f"new baseline of {baseline['check']}, by {by}"
            cluster, summary = baseline["cluster"], baseline["summary"]
            yield Event(at=at_of(change), subject=cluster, what=what, why=summary)
        elif shadow := change.get("shadow"):
            yield _of_shadow(change, shadow)


def _of_verdicts(period: ReportPeriod) -> Iterator[Event]:
    for server, changes in of_servers(period).items():
        around = zip([None, *changes], changes, [*changes[1:], None], strict=False)
        for before, change, after in around:
            is_passing = after is not None and is_passing_hold(change, after)
            if change is not period.before.get(server) and not is_passing:
                yield _of_verdict(before, change)


def _of_shadow(change: Change, shadow: Document) -> Event:
    would = "would decide the same again" if shadow["agrees"] else shadow["would"]
    return Event(
        at=at_of(change), subject=shadow["server"], what=f"shadow: {would}", rank=Rank.SHADOW
    )


def _of_verdict(before: Change | None, change: Change) -> Event:
    """Return the event of a change; `before` is the one before it, also of another run."""
    verdict = change["verdict"]
    is_first = change["was_in_service"] is None  # since the agent began to watch
    was = before["verdict"]["in_service"] if before else change["was_in_service"]
    is_other = was is not None and was != verdict["in_service"]
    override, ended = verdict.get("override_in_force"), change.get("override_ended")
    side = side_words(verdict)
    still = "first verdict: " if is_first else "" if is_other or override else "still "
    held = f"held by {verdict['held_by']}" if rule_words(verdict) else ""
    orders = (override_words(override) if override else "", _ended(ended))
    matters = is_other or override or ended or (was is None and not verdict["in_service"])
    return Event(
        at=at_of(change),
        subject=verdict["server"],
        what=", ".join(filter(None, (f"{still}{side}", verdict["state"], held))),
        why="; ".join(filter(None, (*orders, reasons_words(verdict)))),
        rank=Rank.SERVICE if matters else Rank.HELD if held else Rank.STATE,
    )


def _ended(override: Document | None) -> str:
    return ended_override_words(override) if override else ""


def _of_incident(incident: Incident, gathered: ReportPeriod) -> Iterator[Event]:
    for at, verb in ((incident.began, "began"), (incident.ended, "ended")):
        if at is not None and gathered.since <= at <= gathered.until:
            what = f"incident {incident.id} {verb}"
            yield Event(at=at, subject=incident.target, what=what, why=incident.note)


def _of_start(start: Document) -> Event:
    silent = start["silent_seconds"]
    before = f"nothing was recorded for {rounded_duration(silent)} before" if silent else ""
    what = f"the agent began to watch {' and '.join(start['clusters'])}"
    if not start["is_start"]:
        what = "the journal has a gap"
    program = f"ldaphealth {start['program']}" if start["is_start"] else ""
    return Event(
        at=at_of(start), subject="", what=what, why="; ".join(filter(None, (program, before)))
    )
