"""Changes of verdict as rows of text, newest first: of the live state, and of the history. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from msgspec import Struct

from ldaphealth.clocks import EpochSeconds
from ldaphealth.live.live_state import DatedChange
from ldaphealth.model import State, Verdict
from ldaphealth.page.server_card import NAME_CHARACTERS, side
from ldaphealth.publishers.publication import VerdictChange, ended_override_document
from ldaphealth.sinks.json_document import override_document
from ldaphealth.text.duration import duration
from ldaphealth.text.moment import moment
from ldaphealth.text.override_words import ended_override_words, override_words
from ldaphealth.text.printable import printable
from ldaphealth.text.quantity import quantity

HALF_A_DAY = 43_200.0


class FoldedChange(Struct, frozen=True):
    """A change of verdict, and how many before it kept its server on the same side, since when."""

    dated: DatedChange
    number: int
    since_epoch: EpochSeconds


class ChangeRow(Struct, frozen=True, kw_only=True):
    """A change of verdict as text; `repeated` is how often, if more than once."""

    server: str
    at: str  # RFC 3339
    clock: str
    ago: str
    kind: str
    text: str
    why: str
    repeated: str = ""


def folded(changes: Iterable[DatedChange]) -> list[FoldedChange]:
    """Return the changes, newest first, with one for all that kept a server on the same side.

    Each stands where the newest of them was. A change of side of the same server ends it.
    """
    rows: dict[int, FoldedChange] = {}
    newest: dict[str, int] = {}  # the row of each server that goes on
    for place, dated in enumerate(changes):
        server, epoch = dated.change.after.server, dated.epoch_seconds
        at = newest.get(server) if _is_still(dated) else None
        if at is None:
            rows[place] = FoldedChange(dated, 1, epoch)
            newest.pop(server, None)
            if _is_still(dated):
                newest[server] = place
        else:
            rows[at] = FoldedChange(rows[at].dated, rows[at].number + 1, epoch)
    return [*rows.values()]


def _is_still(dated: DatedChange) -> bool:
    before = dated.change.before
    return before is not None and side(before) == side(dated.change.after)


def live_change(one: FoldedChange, epoch_seconds: EpochSeconds) -> ChangeRow:
    """Return the row of a change."""
    dated = one.dated
    before, after = dated.change.before, dated.change.after
    ago = max(0.0, epoch_seconds - dated.epoch_seconds)
    since = clock(one.since_epoch, dated=epoch_seconds - one.since_epoch >= HALF_A_DAY)
    return ChangeRow(
        server=printable(after.server, NAME_CHARACTERS),
        at=moment(dated.epoch_seconds),
        clock=clock(dated.epoch_seconds, dated=ago >= HALF_A_DAY),
        ago=duration(ago),
        kind=kind_of(after),
        text=change_text(side(before) if before else "", after),
        why=why(after, _order(dated.change)),
        repeated=f"({quantity(one.number, 'time')} since {since})" if one.number > 1 else "",
    )


def change_text(was: str, after: Verdict) -> str:
    """Return what a verdict changed; `was` is the side before, empty for a first verdict."""
    now = side(after)
    if not was:
        return f"first verdict: {now}"
    if was == now:
        return f"still {now}" + (f", {after.state.name.lower()}" if after.state.value else "")
    return f"{was} → {now}"


def kind_of(after: Verdict) -> str:
    """Return the kind of a new verdict, which sets colour and shape."""
    if after.in_service:
        return {State.OK: "fine", State.CRITICAL: "critical"}.get(after.state, "warned")
    return "draining" if after.draining else "out"


def why(after: Verdict, order: str) -> str:
    """Return the codes of the reasons, the rule that holds the server, and an override in words."""
    codes = ", ".join(printable(each.code, 64) for each in after.reasons[:3])
    held = f"held by {printable(after.held_by, 64)}" if after.held_by else ""
    return "; ".join(filter(None, (codes, held, order)))


def clock(epoch_seconds: EpochSeconds, *, dated: bool = False) -> str:
    """Return the time in UTC: to the second, or with the day to the minute."""
    pattern = "%Y-%m-%d %H:%M" if dated else "%H:%M:%S"
    return datetime.fromtimestamp(epoch_seconds, UTC).strftime(pattern)


def _order(change: VerdictChange) -> str:
    """Return the override in force or just ended, in words."""
    if change.after.override is not None:
        return override_words(override_document(change.after.override))
    ended = ended_override_document(change)
    return "" if ended is None else ended_override_words(ended)
