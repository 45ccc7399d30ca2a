"""The sinks in one literal table; each formats a snapshot and changes nothing that is true.

The command line looks a sink up here; its module loads only when it is chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module

from ldaphealth.model import Effect, Snapshot


@dataclass(frozen=True, slots=True)
class Options:
    """How to tell it. `width` is in columns; `dynamic` is keepalived's misc_dynamic.

    `verbose` adds every finding with its metrics where a person reads.
    """

    colour: bool = False
    width: int = 100
    dynamic: bool = False
    verbose: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """What a sink says, and the exit status that goes with it."""

    text: str
    exit_status: int


@dataclass(frozen=True, slots=True)
class Sink:
    """A row of the table. Checks with other effects than these cannot change the answer."""

    module: str
    effects: frozenset[Effect] = frozenset(Effect)

    def tell(self, snapshot: Snapshot, options: Options) -> Told:
        """Format the snapshot."""
        tell: Callable[[Snapshot, Options], Told] = import_module(self.module).tell
        return tell(snapshot, options)


SINKS: Mapping[str, Sink] = {
    "text": Sink("ldaphealth.publish.text"),
    "json": Sink("ldaphealth.publish.json_document"),
    "keepalived": Sink("ldaphealth.publish.keepalived", frozenset({Effect.OUT, Effect.WEIGHT})),
    "nagios": Sink("ldaphealth.publish.nagios"),
}


def exit_status(snapshot: Snapshot) -> int:
    """Return 0 when every server is in service, 1 when at least one is out."""
    return 0 if all(verdict.in_service for verdict in snapshot.verdicts) else 1
