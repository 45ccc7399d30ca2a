"""The changes of verdict as lines, for `ldaphealth history`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ldaphealth.control.explanation_lines import service_text
from ldaphealth.history.passing_holds import is_passing_hold
from ldaphealth.model import Verdict
from ldaphealth.sinks.json_document import verdict_of
from ldaphealth.sinks.summary import cause_codes
from ldaphealth.text.override_words import ended_override_words, override_words
from ldaphealth.text.printable import printable

Change = Mapping[str, Any]


def history_lines(changes: Sequence[Change]) -> Iterator[str]:
    """Yield a line for each change, newest first: time, side, state, server, rule and reasons.

    A hold that ended within a second with the same reasons has no line.
    """
    after: dict[str, Change] = {}  # the next change of each server
    for change in changes:
        if change.get("baseline"):
            yield _baseline_line(change)
            continue
        if change.get("shadow"):
            yield _shadow_line(change)
            continue
        server = change["verdict"]["server"]
        if server not in after or not is_passing_hold(change, after[server]):
            yield _verdict_line(change)
        after[server] = change


def _baseline_line(change: Change) -> str:
    baseline = change["baseline"]
    words = f"by {baseline['accepted_by']}: {baseline['summary']}"
    return f"{change['at']}  {'baseline':18}  {baseline['cluster']}  {words}"


def _shadow_line(change: Change) -> str:
    shadow = change["shadow"]
    side = "in service" if shadow["in_service"] else "out of service"
    words = f"would be {side}, as it is" if shadow["agrees"] else shadow["would"]
    return f"{change['at']}  {'shadow':18}  {printable(shadow['server'])}  {words}"


def _verdict_line(change: Change) -> str:
    document = change["verdict"]
    verdict = verdict_of(document)
    side = service_text(document).partition(" ")[0]
    head = f"{change['at']}  {side:8}  {verdict.state.name:8}  {printable(verdict.server)}"
    return f"{head}  {_words(verdict, document, change.get('override_ended'))}".rstrip()


def _words(verdict: Verdict, document: Change, ended: Mapping[str, Any] | None) -> str:
    """Return the rule, the override in force or just ended, and the codes of the reasons."""
    override = document.get("override_in_force")  # a history of before has none
    order = f" ({override_words(override)})" if override else ""
    held = f"held by {verdict.held_by}{order}" if verdict.held_by else ""
    end = ended_override_words(ended) if ended else ""
    return "; ".join(filter(None, (held, end, cause_codes(verdict) or _without(verdict))))


def _without(verdict: Verdict) -> str:
    """Return what to say of a verdict without a reason."""
    if verdict.held_by:
        return ""
    return {"OK": "all checks are OK", "UNKNOWN": "not probed yet"}.get(verdict.state.name, "")
