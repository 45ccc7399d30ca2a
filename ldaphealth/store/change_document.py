"""What the history keeps of a change, as JSON."""

from __future__ import annotations

from typing import Any

import msgspec

from ldaphealth.clocks import EpochSeconds
from ldaphealth.model import Verdict
from ldaphealth.publishers.publication import (
    BaselineChange,
    VerdictChange,
    ended_override_document,
)
from ldaphealth.publishers.shadow_publication import ShadowChange, shadow_document
from ldaphealth.sinks.json_document import rfc3339, verdict_document
from ldaphealth.store.history_tables import ChangeRow

AnyChange = VerdictChange | BaselineChange | ShadowChange


def change_row(epoch: EpochSeconds, change: AnyChange) -> ChangeRow:
    """Return the row of a change: its time, what it is of, and its document."""
    return epoch, _subject(change), msgspec.json.encode(_document(epoch, change))


def baseline_document(change: BaselineChange) -> dict[str, Any]:
    """Return a new baseline for JSON."""
    return msgspec.to_builtins(change)  # type: ignore[no-any-return]


def _subject(change: AnyChange) -> str:
    """Return what a change is of: a server ID, or the name of a cluster.

    A change by a shadow is none of the verdict on a server, so it is one of the cluster.
    """
    if isinstance(change, ShadowChange):
        return change.after.server.partition("/")[0]
    return change.cluster if isinstance(change, BaselineChange) else change.after.server


def _document(epoch: EpochSeconds, change: AnyChange) -> dict[str, Any]:
    if isinstance(change, ShadowChange):
        after = change.after
        return {"at": rfc3339(epoch), "shadow": {"server": after.server} | shadow_document(after)}
    if isinstance(change, BaselineChange):
        return {"at": rfc3339(epoch), "baseline": baseline_document(change)}
    before: Verdict | None = change.before
    return {
        "at": rfc3339(epoch),
        "was_in_service": before.in_service if before else None,
        "lasted_seconds": before.lasted_seconds if before else None,
        "override_ended": ended_override_document(change),
        "verdict": verdict_document(change.after),
    }
