"""Changes that the history has as rows of text: of verdicts, baselines and shadows. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from ldaphealth.page.changes import change_text, kind_of, why
from ldaphealth.page.server_card import IN, NAME_CHARACTERS, OUT, side
from ldaphealth.sinks.json_document import verdict_of
from ldaphealth.text.override_words import ended_override_words, override_words, without_fraction
from ldaphealth.text.printable import printable

Change = Mapping[str, Any]  # as in the JSON of `ldaphealth history`


class PastChange(Struct, frozen=True, kw_only=True):
    """One change as text. `kind` sets colour and shape; it is empty if no verdict changed."""

    at: str  # RFC 3339, to the second
    target: str
    kind: str
    text: str
    why: str


def past_change(change: Change) -> PastChange:
    """Return the row of a change; ValueError: it is none."""
    try:
        if found := change.get("baseline"):
            why_text = f"by {found['accepted_by']}: {found['summary']}"
            return _row(change, found["cluster"], "new baseline", why_text)
        if found := change.get("shadow"):
            would = found["would"] or "decides as the verdict"
            return _row(change, found["server"], "shadow", would)
        return _verdict_row(change)
    except (LookupError, TypeError) as error:
        raise ValueError(f"not a change: {error}") from error


def _verdict_row(change: Change) -> PastChange:
    document = change["verdict"]
    after = verdict_of(document)
    was = change.get("was_in_service")
    if was is None:
        before = ""
    elif was == after.in_service:
        before = side(after)
    else:
        before = IN if was else OUT
    override, ended = document.get("override_in_force"), change.get("override_ended")
    order = override_words(override) if override else ""
    order = order or (ended_override_words(ended) if ended else "")
    return _row(change, after.server, change_text(before, after), why(after, order), kind_of(after))


def _row(change: Change, target: str, text: str, reason: str, kind: str = "") -> PastChange:
    return PastChange(
        at=without_fraction(printable(change["at"], 64)),
        target=printable(target, NAME_CHARACTERS),
        kind=kind,
        text=printable(text),
        why=printable(reason),
    )
