"""What one decision of the agent on a cluster brought, for those who tell it on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from ldaphealth.clocks import BootSeconds
from ldaphealth.model import AnyObservation, Verdict


class VerdictChange(Struct, frozen=True):
    """A verdict that says something else than the one before it; `before` is None for a first."""

    before: Verdict | None
    after: Verdict


class Publication(Struct, frozen=True):
    """The verdicts on one cluster by server ID, and what is new.

    `due` are the servers whose reader expects a word now, each with the seconds since the boot
    until which its verdict holds. `seen` are the observations of the rounds that were
    decided on, and of the surveys that ended.
    """

    cluster: str
    verdicts: Mapping[str, Verdict]
    due: Mapping[str, BootSeconds]
    changes: Sequence[VerdictChange]
    seen: Sequence[AnyObservation]


class Publisher(Protocol):
    """Somebody who tells verdicts on; its trouble is its own and never stops the agent."""

    def publish(self, decided: Publication) -> None:
        """Tell what is new; an OSError is logged by the agent."""

    def close(self) -> None:
        """End; nothing is published any more."""


def differs(one: Verdict, other: Verdict) -> bool:
    """Tell whether two verdicts say different things, whatever the numbers in their sentences."""
    return _said(one) != _said(other)


def _said(verdict: Verdict) -> tuple[object, ...]:
    codes = frozenset((reason.code, reason.state) for reason in verdict.reasons)
    return verdict.in_service, verdict.state, verdict.held_by, verdict.draining, codes
