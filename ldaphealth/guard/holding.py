"""What a rule holds a server for, and until when, as sentences: for `ldaphealth explain`. Pure."""

from __future__ import annotations

from msgspec import Struct

from ldaphealth.clocks import BootSeconds
from ldaphealth.guard.memory import Override, ServerMemory
from ldaphealth.guard.rules import min_out_seconds, rule_named
from ldaphealth.model import Verdict
from ldaphealth.settings import Cluster, Settle, WhenAllFail
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
        until = UNTIL[rule.name](verdict, past, cluster, now) if rule.name in UNTIL else ""
    return Holding(rule.name, why, until)


def _settled(verdict: Verdict, past: ServerMemory, cluster: Cluster, now: BootSeconds) -> str:
    settle = cluster.settle
    if verdict.in_service:
        return _until_out(past, settle)
    rounds = _rounds(settle.rise - past.good, "good")
    left = min_out_seconds(past, settle) - (now - past.since)
    wait = f"not before {duration(left)} from now" if left > 0 else ""
    return " and ".join(filter(None, (rounds, wait))) or "the next round"


def _until_out(past: ServerMemory, settle: Settle) -> str:
    if not past.bad:
        return "enough rounds in a row call for another weight"
    is_silent = past.silent_since is not None
    left = settle.fall_hard - past.bad if is_silent else settle.fall_soft - past.blamed
    rounds = _rounds(left, "failed") or "the next round"
    return f"{rounds}, after which it goes out, or a good one"


def _blinded(verdict: Verdict, past: ServerMemory, cluster: Cluster, now: BootSeconds) -> str:
    del verdict
    settle = cluster.settle
    since = past.bad_since if past.silent_since is None else past.silent_since
    others = (
        "another server answers"
        if past.silent_since is not None
        else "not all servers share the failure"
    )
    left = settle.believe_seconds - (now - (since or now))
    if settle.when_all_fail is WhenAllFail.HOLD or left <= 0:
        return others
    return f"{others}, or {duration(left)} have passed"


def _floored(verdict: Verdict, past: ServerMemory, cluster: Cluster, now: BootSeconds) -> str:
    del verdict, past, now
    number = cluster.min_in_service
    return f"enough others are in service: min_in_service is {number}"


def _rounds(number: int, kind: str) -> str:
    if number <= 0:
        return ""
    return f"{number} more {kind} round{'' if number == 1 else 's'} in a row"


UNTIL = {"settle": _settled, "blind": _blinded, "floor": _floored}
