"""What a report is made of: all that was read of a period."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from ldaphealth.clocks import EpochSeconds
from ldaphealth.history.incident import Incident
from ldaphealth.text.moment import epoch_of

Change = Mapping[str, Any]  # of the history, as `ldaphealth history --format json` has it
Document = Mapping[str, Any]


class ReportPeriod(Struct, frozen=True, kw_only=True):
    """All that was read of a period; the documents are those of other commands, as in JSON.

    `changes` are oldest first, and those before `read_since` were too many. `before` has by server
    the change that was in force when the period began. `availability` is the document of
    `history --availability`, `times` are those of `history --times`, one a check. `starts` are what
    the journal shows of the agent (agent/journal_starts.py). `problems` are sentences on what could
    not be read.
    """

    target: str
    since: EpochSeconds
    until: EpochSeconds
    changes: Sequence[Change]
    read_since: EpochSeconds
    before: Mapping[str, Change] = {}
    availability: Document
    incidents: Sequence[Incident] = ()
    times: Sequence[Document] = ()
    starts: Sequence[Document] = ()
    problems: Sequence[str] = ()


def at_of(change: Change) -> EpochSeconds:
    """Return when a change was made."""
    return epoch_of(change["at"])


def of_servers(gathered: ReportPeriod) -> Mapping[str, list[Change]]:
    """Return the changes of verdict by server, oldest first: that before the period, and those."""
    found: dict[str, list[Change]] = {server: [each] for server, each in gathered.before.items()}
    for change in gathered.changes:
        if verdict := change.get("verdict"):
            found.setdefault(verdict["server"], []).append(change)
    return found
