"""What a shadow decided on a cluster: what its settings would have done. It decides nothing.

These are types of their own, and not those of verdicts: so no publisher that a balancer reads, and
no sink, can take one for a verdict.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct

from ldaphealth.model import Reason, State, Verdict
from ldaphealth.sinks.json_document import reason_document
from ldaphealth.text.listed import listed
from ldaphealth.text.printable import printable

MOST_CODES = 3


class ShadowVerdict(Struct, frozen=True, kw_only=True):
    """What a shadow would have decided on one server; the fields are those of `model.Verdict`.

    `agrees`: the server is in service, or out of it, by the verdict at that time as well. `would`
    is a phrase on how both differ, also in weight or state, "" if they do not.
    """

    server: str
    state: State
    in_service: bool
    weight: int
    reasons: tuple[Reason, ...] = ()
    held_by: str = ""
    lasted_seconds: float = 0.0
    agrees: bool = True
    would: str = ""


class ShadowChange(Struct, frozen=True):
    """A shadow would have changed the service of a server, or began or ceased to agree on it."""

    after: ShadowVerdict


class ShadowPublication(Struct, frozen=True, kw_only=True):
    """What a shadow decided on one cluster, by server ID. Without a shadow there is nothing."""

    cluster: str
    verdicts: Mapping[str, ShadowVerdict] = {}
    changes: Sequence[ShadowChange] = ()


class ShadowReceiver(Protocol):
    """A receiver of what shadows decide. No file for a balancer is one."""

    def publish_shadow(self, decided: ShadowPublication) -> None:
        """Receive what a shadow decided."""


def beside(verdict: Verdict, shadow: Verdict) -> ShadowVerdict:
    """Return what a shadow decided on a server, beside the verdict on it."""
    return ShadowVerdict(
        server=shadow.server,
        state=shadow.state,
        in_service=shadow.in_service,
        weight=shadow.weight,
        reasons=shadow.reasons,
        held_by=shadow.held_by,
        lasted_seconds=shadow.lasted_seconds,
        agrees=shadow.in_service is verdict.in_service,
        would=_would(verdict, shadow),
    )


def shadow_document(shadow: ShadowVerdict) -> dict[str, Any]:
    """Return what a shadow decided on a server, for JSON."""
    return {
        "would": shadow.would,
        "agrees": shadow.agrees,
        "in_service": shadow.in_service,
        "state": shadow.state.name,
        "weight": shadow.weight,
        "held_by": shadow.held_by,
        "lasted_seconds": shadow.lasted_seconds,
        "reasons": [reason_document(each, {}) for each in shadow.reasons],
    }


def _would(verdict: Verdict, shadow: Verdict) -> str:
    """Return what the shadow would have done otherwise, the most important difference only."""
    name = verdict.server.partition("/")[2]
    if shadow.in_service != verdict.in_service:
        done = f"kept {name} in service" if shadow.in_service else f"removed {name}"
    elif shadow.weight != verdict.weight:
        done = f"given {name} the weight {shadow.weight} in place of {verdict.weight}"
    elif shadow.state is not verdict.state:
        done = f"called {name} {shadow.state.name} in place of {verdict.state.name}"
    else:
        return ""
    return printable(f"would have {done}{_why(shadow)}")


def _why(shadow: Verdict) -> str:
    """Return the codes of the reasons that remove the server, or of all, and what holds it."""
    removing = [each.code for each in shadow.reasons if each.removes]
    codes = removing or [each.code for each in shadow.reasons]
    held = f"held by {shadow.held_by}" if shadow.held_by else ""
    why = "; ".join(filter(None, (listed(codes, MOST_CODES), held)))
    return f" ({why})" if why else ""
