"""Why a server is in or out of service, as lines for people: `ldaphealth explain`.

The argument is the document of the agent (`agent/answers.py`), or of a change in the history.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import convert

from ldaphealth.control.explanation import GuardedDocument
from ldaphealth.model import State
from ldaphealth.reason_codes import remedy_of
from ldaphealth.text.duration import brief, duration
from ldaphealth.text.effect_words import effect_words
from ldaphealth.text.fact_words import fact_lines
from ldaphealth.text.override_words import ended_override_words, override_words, without_fraction
from ldaphealth.text.printable import printable
from ldaphealth.text.quantity import plural_of, quantity

BY_HAND = "by_hand"  # the fact with commands of a workload
OWN_SECTION = frozenset({BY_HAND})
COMMAND = re.compile(r"`[^`]*`")
NO_BREAK = "\0"  # in place of the spaces of a command while lines are broken
DOCTOR = "`ldaphealth doctor` tries everything once, and says what mends it"
LEAST_COLUMNS = 60  # a narrower terminal wraps by itself


def explanation_lines(document: Mapping[str, Any], *, everything: bool = False) -> list[str]:
    """Return an explanation as lines; the verdict and what to do are the last, which stay in view.

    Without `everything` checks that are OK have a line together, and no facts.
    """
    findings = sorted(document["judged"], key=lambda each: -State[each["state"]].severity)
    bad = [each for each in findings if each["state"] != "OK"]
    return [
        f"{document['server']}  {document['uri']}",
        "",
        "OBSERVATIONS",
        *_observations_lines(document, {each["check"] for each in bad}, everything=everything),
        *_by_hand_lines(document["seen"]),
        "",
        "GUARD",
        *_guard_lines(document),
        *_shadow_lines(document.get("shadow")),
        "",
        *_head_lines(document["verdict"]),
        *_other_reason_lines(document["verdict"], bad),
        *_well_lines(findings, everything=everything),
        *_findings_lines(bad),
        *(["", DOCTOR] if bad else []),
    ]


def _observations_lines(
    document: Mapping[str, Any], bad: Collection[str], *, everything: bool
) -> Iterator[str]:
    """Yield the observations; the short form has those of checks that are not OK, without facts."""
    if everything:
        yield from (line for each in document["seen"] for line in _observation_lines(each))
        return
    shown = [each for each in document["seen"] if each["check"] in bad or each["failure"]]
    for each in shown:
        yield from _observation_lines(each | {"facts": {}})
    number = quantity(len(document["seen"]), "check")
    yield f"  facts of {number}: `ldaphealth explain {document['server']} --all`"


def _well_lines(findings: Iterable[Mapping[str, Any]], *, everything: bool) -> list[str]:
    """Return the checks that are OK: one line for each, or one for all."""
    well = [each for each in findings if each["state"] == "OK"]
    if everything:
        return [line for each in well for line in _finding_lines(each)]
    names = ", ".join(dict.fromkeys(each["check"] for each in well))
    return [f"  OK        {names}"] if names else []


def _other_reason_lines(
    verdict: Mapping[str, Any], findings: Iterable[Mapping[str, Any]]
) -> list[str]:
    """Return the reasons that are no finding of a check."""
    found = {f"{each['check']}.{each['code']}" for each in findings}
    return [
        line
        for each in verdict["reasons"]
        if each["code"] not in found
        for line in _reason_lines(each, has_remedies=True)
    ]


def past_lines(change: Mapping[str, Any]) -> list[str]:
    """Return a verdict of the history as lines."""
    lines = [
        f"since {without_fraction(change['at'])}",
        *verdict_lines(change["verdict"], has_remedies=True),
    ]
    ended = change.get("override_ended")
    return [*lines, f"  {ended_override_words(ended)}"] if ended else lines


def wrapped(lines: Iterable[str], columns: int) -> list[str]:
    """Return the lines for a terminal: the rest of a long one is indented below it.

    A command is never broken, so that it can be copied: it may be longer than the terminal is wide.
    """
    if columns < LEAST_COLUMNS:
        return [*lines]
    return [part for line in lines for part in _wrapped(line, columns)]


def _wrapped(line: str, columns: int) -> list[str]:
    indent = " " * (len(line) - len(line.lstrip()) + 4)
    parts = textwrap.wrap(
        COMMAND.sub(lambda found: found[0].replace(" ", NO_BREAK), line),
        columns,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
        replace_whitespace=False,
    )
    return [part.replace(NO_BREAK, " ") for part in parts] or [""]


def service_text(verdict: Mapping[str, Any]) -> str:
    """Return in service, draining or OUT of service."""
    if verdict["in_service"]:
        return "in service"
    return "draining" if verdict["draining"] else "OUT of service"


def verdict_lines(verdict: Mapping[str, Any], *, has_remedies: bool = False) -> list[str]:
    """Return a verdict and its reasons, with what to do about each if no findings are shown."""
    reasons = verdict["reasons"]
    shown = (line for each in reasons for line in _reason_lines(each, has_remedies=has_remedies))
    return [*_head_lines(verdict), *shown]


def _head_lines(verdict: Mapping[str, Any]) -> list[str]:
    held = f", held by {verdict['held_by']}" if verdict["held_by"] else ""
    state = f", {verdict['state']}" if "state" in verdict else ""
    override = verdict.get("override_in_force")  # a history of before has none
    weight = verdict["weight"]
    return [
        f"VERDICT  {verdict['server']} {service_text(verdict)}{state}, weight {weight}{held}",
        *([f"  ordered: {override_words(override)}"] if override else []),
    ]


def _reason_lines(reason: Mapping[str, Any], *, has_remedies: bool) -> list[str]:
    head = f"  {reason['state']:9} {reason['code']}: {reason['summary']}"
    return [head, *(_remedy_lines(reason["code"], reason) if has_remedies else ())]


def _findings_lines(findings: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the findings, and below the last one in a row with the same remedy what to do."""
    for number, finding in enumerate(findings):
        lines = _finding_lines(finding)
        following = _finding_lines(findings[number + 1]) if number + 1 < len(findings) else []
        yield from lines[:1] if lines[1:] == following[1:] else lines


def _finding_lines(finding: Mapping[str, Any]) -> list[str]:
    code = f"{finding['check']}.{finding['code']}"
    state = finding["state"]
    usual = "out"  # an older agent did not say
    words = effect_words(finding.get("effect") or usual, finding["trust"], state)
    effect = f" ({words})" if words and state != "OK" else ""
    head = f"  {state:9} {code}: {finding['summary']}{effect}"
    return [head, *_remedy_lines(code, finding)]


def _remedy_lines(code: str, found: Mapping[str, Any]) -> list[str]:
    """Return what to do about a finding or reason that is not OK; nothing if that is not known.

    An older agent wrote none: then it is that of the code, without the values of the server.
    """
    remedy = "" if found["state"] == "OK" else found.get("remedy", remedy_of(code))
    return [f"            what to do: {remedy}"] if remedy else []


def _by_hand_lines(seen: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the newest operations of workloads as commands, by check and shape."""
    commands = {
        f"{each['check']} {shape}": command
        for each in seen
        for shape, command in each["facts"].get(BY_HAND, {}).items()
    }
    if not commands:
        return []
    lines = (f"  {name}: {command}" for name, command in sorted(commands.items()))
    return ["", "OPERATIONS to repeat by hand", *lines]


def _guard_lines(document: Mapping[str, Any]) -> list[str]:
    """Return what the guard remembers of the server, and which rule holds it until when."""
    past = convert(document["guarded"], GuardedDocument)
    settle = past.settle
    failing = ", ".join(past.failing_checks)
    waits = f"  taken out by {failing}: a round counts only with a result of each"
    do = plural_of(past.bad_rounds, "calls", "call")
    rounds = (
        f"  {quantity(past.bad_rounds, 'round')} in a row {do} for removal (it goes out after "
        f"{settle.fall_hard} without LDAP service, {settle.fall_soft} with a soft failure), "
        f"{past.good_rounds} for none (a server that is out needs {settle.rise})"
    )
    window = duration(settle.flap_window_seconds)
    return [
        rounds,
        *([waits] if failing and not past.in_service else []),
        *_share_lines(past),
        f"  went out {quantity(past.went_out_lately, 'time')} in the last {window}",
        *_held_lines(document),
    ]


def _held_lines(document: Mapping[str, Any]) -> list[str]:
    """Return the rule that holds the server, why and until when."""
    held = document.get("held")
    if not held:
        return ["  no rule holds it"]
    return [
        f"  held by {held['rule']}: {held['why']}",
        *([f"  until: {held['until']}"] if held["until"] else []),
        *(
            [f"  ordered: {override_words(held['override_in_force'])}"]
            if held["override_in_force"]
            else []
        ),
    ]


def _shadow_lines(shadow: Mapping[str, Any] | None) -> list[str]:
    """Return what a shadow decided, the findings that differ, and its settings."""
    if not shadow:
        return []
    side = "in service" if shadow["in_service"] else "out of service"
    held = f", held by {shadow['held_by']}" if shadow["held_by"] else ""
    return [
        "",
        "SHADOW (it decides nothing)",
        f"  {shadow['would'] or 'would have decided the same'}",
        f"  {side}, {shadow['state']}, weight {shadow['weight']}{held}",
        *(
            f"  {each['state']:9} {each['check']}.{each['code']}: {each['summary']}"
            for each in shadow["judged"]
        ),
        *(f"  has {each}" for each in shadow["settings"]),
    ]


def _share_lines(past: GuardedDocument) -> list[str]:
    """Return the effect of the checks on its weight; nothing if there is none."""
    share, leaning = past.weight_share, past.leaning_rounds
    if share == 1.0 and not leaning:
        return []
    verb = plural_of(leaning, "calls", "call")
    calls = f"; {quantity(leaning, 'round')} in a row {verb} for {past.leaning_to_share:.0%}"
    return [f"  has {share:.0%} of its weight{calls if leaning else ''}"]


def _observation_lines(seen: Mapping[str, Any]) -> Sequence[str]:
    """Return what one check observed, when, and how long its operations took."""
    timings = ", ".join(
        f"{printable(name)} {brief(seconds)}" for name, seconds in seen["timings"].items()
    )
    head = (
        f"  {seen['check']}: observed {_ago(seen)}took {timings or brief(seen['duration_seconds'])}"
    )
    failure = seen["failure"]
    if failure:
        return [head, f"    FAILED: {failure['detail']}"]
    facts = {name: value for name, value in seen["facts"].items() if name not in OWN_SECTION}
    return [head, *(f"    {line}" for line in fact_lines(facts))]


def _ago(seen: Mapping[str, Any]) -> str:
    age = seen.get("age_seconds")  # an agent of before does not say
    return "" if age is None else f"{duration(age)} ago, "
