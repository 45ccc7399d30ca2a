"""What rules of the guard held in a period, and what operators ordered, each added up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ldaphealth.clocks import EpochSeconds
from ldaphealth.report.period import Change, ReportPeriod, at_of, of_servers
from ldaphealth.report.verdict_words import bad_reasons, rule_words
from ldaphealth.text.moment import moment

Spans = Iterator[tuple[str, Change, EpochSeconds, EpochSeconds]]
SHORTEST_SECONDS = 1.0  # a hold that only waited for the probes of the others


def held_verdicts(gathered: ReportPeriod) -> list[dict[str, Any]]:
    """Return by server and rule how often and how long it was held, the longest first."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for server, change, began, ended in _spans(gathered):
        verdict = change["verdict"]
        words = rule_words(verdict)
        if not words or ended - began < SHORTEST_SECONDS:
            continue
        entry = {
            "server": server,
            "in_service": verdict["in_service"],
            "rule": verdict["held_by"],
            "words": words,
            "first": moment(began),
        }
        kept = found.setdefault((server, words), entry | {"times": 0, "seconds": 0.0, "codes": []})
        kept["times"] += 1
        kept["seconds"] += ended - began
        codes = dict.fromkeys(each["code"] for each in bad_reasons(verdict))
        kept["codes"] += [each for each in codes if each not in kept["codes"]]
    return sorted(found.values(), key=lambda each: -each["seconds"])


def overrides(gathered: ReportPeriod) -> list[dict[str, Any]]:
    """Return the overrides that were in force, by their beginning, and how each one ended."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for server, change, _, _ in _spans(gathered):
        over = change.get("override_ended")
        if over and (key := _key(server, over)) in found:
            found[key] |= {"ended": change["at"], "taken_back_by": over["taken_back_by"]}
        note = change["verdict"].get("override_in_force")
        if note:
            entry = {"server": server, **note, "began": change["at"]}
            kept = found.setdefault(_key(server, note), entry)
            kept.update(ended=None, taken_back_by="")
    return sorted(found.values(), key=lambda each: each["began"])


def _key(server: str, note: Change) -> tuple[Any, ...]:
    return server, note["action"], note["by"], note["reason"], note["until"]


def _spans(gathered: ReportPeriod) -> Spans:
    """Yield the verdicts, each from its beginning until the next one of its server."""
    for server, changes in of_servers(gathered).items():
        ends = [*(at_of(each) for each in changes[1:]), gathered.until]
        for change, end in zip(changes, ends, strict=True):
            yield server, change, max(at_of(change), gathered.since), max(end, gathered.since)
