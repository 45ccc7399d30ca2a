"""The log line of a change of verdict: its codes for programs, and one sentence for people."""

from __future__ import annotations

import logging

from ldaphealth.model import State, Verdict
from ldaphealth.publishers.publication import VerdictChange, ended_override_document
from ldaphealth.sinks.json_document import override_document
from ldaphealth.sinks.summary import reasons_in_order
from ldaphealth.text.override_words import ended_override_words, override_words
from ldaphealth.text.printable import printable

log = logging.getLogger(__name__)

SENTENCE_CHARACTERS = 300
NOT_PROBED = "not probed since the start of the agent: it is where it was before"


def log_change(change: VerdictChange) -> None:
    """Log a change of verdict: a warning if the server is out, or its state not OK.

    A server that was not probed yet and that no rule holds is left out: its first round follows.
    """
    verdict = change.after
    if change.before is None and _is_unknown(verdict) and not verdict.held_by:
        return
    is_well = verdict.in_service and verdict.state in (State.OK, State.UNKNOWN)
    log.log(
        logging.INFO if is_well else logging.WARNING,
        "verdict",
        extra={
            "server": verdict.server,
            "in_service": verdict.in_service,
            "was_in_service": change.before.in_service if change.before else None,
            "weight": verdict.weight,
            "state": verdict.state.name,
            "held_by": verdict.held_by,
            **_override_words(change),
            "reasons": ",".join(dict.fromkeys(each.code for each in reasons_in_order(verdict))),
            **_sentence(verdict),
        },
    )


def _is_unknown(verdict: Verdict) -> bool:
    return verdict.state is State.UNKNOWN and not verdict.reasons


def _sentence(verdict: Verdict) -> dict[str, str]:
    """Return the sentence of the worst reason, bounded; nothing without a reason."""
    if _is_unknown(verdict):
        return {"summary": NOT_PROBED}
    first = next(iter(reasons_in_order(verdict)), None)
    return {"summary": printable(first.summary, SENTENCE_CHARACTERS)} if first else {}


def _override_words(change: VerdictChange) -> dict[str, str]:
    """Return who ordered what, why and until when, also of an override that has ended."""
    if change.after.override is not None:
        return {"override_in_force": override_words(override_document(change.after.override))}
    ended = ended_override_document(change)
    return {} if ended is None else {"override_ended": ended_override_words(ended)}
