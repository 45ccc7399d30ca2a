"""The table of sinks. A sink formats a snapshot; it decides nothing.

The command line looks up a sink here. The module of a sink is imported when it is first used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module

from msgspec import Struct

from ldaphealth.model import CheckEffect, Snapshot


class SinkOptions(Struct, frozen=True):
    """Options of the output. `width` is in columns; `dynamic` is keepalived's misc_dynamic.

    `verbose` adds every finding to output for people.
    """

    colour: bool = False
    width: int = 100
    dynamic: bool = False
    verbose: bool = False


class SinkOutput(Struct, frozen=True):
    """The text that a sink returns, and the exit status that belongs to it."""

    text: str
    exit_status: int


class Sink(Struct, frozen=True):
    """A row of the table.

    Checks with other effects than `effects` cannot change the output. `error_line` is the format of
    the line that is printed on standard output when there is no snapshot. If it is empty, nothing
    is printed, because any output could be taken for a result. `is_repeated`: a program starts the
    check again and again, so that processes remember refused passwords together.
    """

    module: str
    effects: frozenset[CheckEffect] = frozenset(CheckEffect)
    error_line: str = ""
    is_repeated: bool = False

    def render(self, snapshot: Snapshot, options: SinkOptions) -> SinkOutput:
        """Format the snapshot."""
        render: Callable[[Snapshot, SinkOptions], SinkOutput] = import_module(self.module).render
        return render(snapshot, options)


SINKS: Mapping[str, Sink] = {
    "text": Sink("ldaphealth.sinks.text"),
    "json": Sink("ldaphealth.sinks.json_document"),
    "keepalived": Sink(
        "ldaphealth.sinks.keepalived",
        frozenset({CheckEffect.OUT, CheckEffect.WEIGHT}),
        is_repeated=True,
    ),
    "nagios": Sink("ldaphealth.sinks.nagios", error_line="LDAP UNKNOWN - {}", is_repeated=True),
    "checkmk": Sink("ldaphealth.sinks.checkmk", error_line="3 LDAP - {}", is_repeated=True),
    "jsonl": Sink("ldaphealth.sinks.json_lines"),
}


def exit_status(snapshot: Snapshot) -> int:
    """Return 0 when every server is in service, 1 when one is out or there is none."""
    verdicts = snapshot.verdicts
    return 0 if verdicts and all(verdict.in_service for verdict in verdicts) else 1
