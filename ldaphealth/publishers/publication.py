"""A publication: the result of one decision on a cluster. The agent passes it to its publishers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal, Protocol

from msgspec import Struct

from ldaphealth.clocks import BootSeconds
from ldaphealth.guard.verdicts import Verdicts
from ldaphealth.model import AnyObservation, Verdict
from ldaphealth.sinks.json_document import override_document


class VerdictChange(Struct, frozen=True):
    """A verdict that differs from the one before it. `before` is None for the first verdict.

    `taken_back_by` is the user who removed the override of `before`, or "".
    """

    before: Verdict | None
    after: Verdict
    taken_back_by: str = ""


class BaselineChange(Struct, frozen=True, kw_only=True):
    """A new baseline of a check: what the servers of a cluster had does not count any longer.

    `accepted_by` is "agreement" of the servers for long enough, or "operator". `replaced` has the
    old and the new values.
    """

    cluster: str
    check: str
    accepted_by: Literal["agreement", "operator"]
    summary: str
    replaced: Mapping[str, Any]


class Publication(Struct, frozen=True, kw_only=True):
    """The verdicts on one cluster by server ID, and what is new.

    `due` are the servers whose verdict was renewed or changed, each with the time in seconds since
    the boot until which it is valid. `seen` are the observations of the rounds and surveys that the
    decision is based on. `baselines` are the new ones.
    """

    cluster: str
    verdicts: Mapping[str, Verdict]
    due: Mapping[str, BootSeconds]
    changes: Sequence[VerdictChange]
    seen: Sequence[AnyObservation]
    baselines: Sequence[BaselineChange] = ()


def renewed(decided: Publication) -> Collection[str]:
    """Return the servers of which the verdict is new in more than how long it has lasted."""
    verdicts = decided.verdicts
    return verdicts.renewed if isinstance(verdicts, Verdicts) else verdicts.keys()


class Publisher(Protocol):
    """A receiver of publications. Its errors never stop the agent."""

    def publish(self, decided: Publication) -> None:
        """Receive a publication. The agent logs an OSError."""

    def close(self) -> None:
        """End. Nothing is published after this."""


def ended_override_document(change: VerdictChange) -> dict[str, Any] | None:
    """Return the override that ended with a change, for JSON, and who took it back; None without.

    `taken_back_by` is empty if it expired, or if another one replaced it.
    """
    note = change.before.override if change.before else None
    if note is None or note == change.after.override:
        return None
    return override_document(note) | {"taken_back_by": change.taken_back_by}


def differs(one: Verdict, other: Verdict) -> bool:
    """Return whether two verdicts differ in service, state, rule, override or reason codes."""
    return _compared(one) != _compared(other)


def _compared(verdict: Verdict) -> tuple[object, ...]:
    codes = frozenset((reason.code, reason.state) for reason in verdict.reasons)
    return (
        verdict.in_service,
        verdict.state,
        verdict.held_by,
        verdict.draining,
        verdict.override,
        codes,
    )
