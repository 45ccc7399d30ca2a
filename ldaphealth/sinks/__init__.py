"""The sinks in one literal table; each formats a snapshot and changes nothing that is true.

The command line looks a sink up here; its module loads only when it is chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module

from msgspec import Struct

from ldaphealth.model import CheckEffect, Snapshot


class SinkOptions(Struct, frozen=True):
    """How to tell it. `width` is in columns; `dynamic` is keepalived's misc_dynamic.

    `verbose` adds every finding with its metrics where a person reads.
    """

    colour: bool = False
    width: int = 100
    dynamic: bool = False
    verbose: bool = False


class SinkOutput(Struct, frozen=True):
    """What a sink says, and the exit status that goes with it."""

    text: str
    exit_status: int


class Sink(Struct, frozen=True):
    """A row of the table.

    Checks with other effects than `effects` cannot change the answer. `apology` is what standard
    output says when there is no snapshot; empty: nothing, so that nobody takes it for an answer.
    """

    module: str
    effects: frozenset[CheckEffect] = frozenset(CheckEffect)
    apology: str = ""

    def render(self, snapshot: Snapshot, options: SinkOptions) -> SinkOutput:
        """Format the snapshot."""
        render: Callable[[Snapshot, SinkOptions], SinkOutput] = import_module(self.module).render
        return render(snapshot, options)


SINKS: Mapping[str, Sink] = {
    "text": Sink("ldaphealth.sinks.text"),
    "json": Sink("ldaphealth.sinks.json_document"),
    "keepalived": Sink(
        "ldaphealth.sinks.keepalived", frozenset({CheckEffect.OUT, CheckEffect.WEIGHT})
    ),
    "nagios": Sink("ldaphealth.sinks.nagios", apology="LDAP UNKNOWN - {}"),
    "checkmk": Sink("ldaphealth.sinks.checkmk", apology="3 LDAP - {}"),
    "jsonl": Sink("ldaphealth.sinks.json_lines"),
}


def exit_status(snapshot: Snapshot) -> int:
    """Return 0 when every server is in service, 1 when one is out or none was looked at."""
    verdicts = snapshot.verdicts
    return 0 if verdicts and all(verdict.in_service for verdict in verdicts) else 1
