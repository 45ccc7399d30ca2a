"""What a rule holds a server for, and until when, as sentences: for `ldaphealth explain`. Pure."""

from __future__ import annotations

from msgspec import Struct

from ldaphealth.clocks import BootSeconds
from ldaphealth.guard.memory import Override, ServerMemory
from ldaphealth.guard.rules import rule_named
from ldaphealth.model import Verdict
from ldaphealth.settings import Cluster
from ldaphealth.text.duration import duration


class Holding(Struct, frozen=True):
    """The rule that holds a server, why it does, and what ends that; each a sentence or less."""

    rule: str
    why: str
    until: str


def holding(
    verdict: Verdict,
    past: ServerMemory,
    override: Override | None,
    cluster: Cluster,
    now: BootSeconds,
) -> Holding | None:
    """Return what holds a server; None if no rule does."""
    rule = rule_named(verdict.held_by)
    if rule is None:
        return None
    why = rule.keeps_in if verdict.in_service else rule.keeps_out
    if rule.is_operators_will and override is not None:
        until = f"the override ends in {duration(max(0.0, override.until - now))}, or `undrain`"
    else:
        until = rule.ends(verdict, past, cluster, now)
    return Holding(rule.name, why, until)
