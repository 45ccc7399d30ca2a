"""What ends the hold of a rule, one function a rule: sentences for `ldaphealth explain`. Pure."""

from __future__ import annotations

from collections.abc import Callable

from ldaphealth.clocks import BootSeconds
from ldaphealth.guard.memory import ServerMemory
from ldaphealth.model import Verdict
from ldaphealth.settings import Cluster, Settle, WhenAllFail
from ldaphealth.text.duration import duration
from ldaphealth.text.quantity import quantity

MOST_DOUBLINGS = 5

Ends = Callable[[Verdict, ServerMemory, Cluster, BootSeconds], str]


def ends_by_itself(_: Verdict, __: ServerMemory, ___: Cluster, ____: BootSeconds) -> str:
    """Return nothing: another text has the end, as that of an override."""
    return ""


def settle_ends(verdict: Verdict, past: ServerMemory, cluster: Cluster, now: BootSeconds) -> str:
    """Return how many more rounds it takes, and the rest of the minimum time out."""
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


def blind_ends(verdict: Verdict, past: ServerMemory, cluster: Cluster, now: BootSeconds) -> str:
    """Return what must be seen of the other servers, or the time until that is not waited for."""
    del verdict
    settle = cluster.settle
    since = past.bad_since if past.silent_since is None else past.silent_since
    others = (
        "another server answers"
        if past.silent_since is not None
        else "a server no longer has the failure that they share; its finding says what to do"
    )
    left = settle.believe_seconds - (now - (since or now))
    if settle.when_all_fail is WhenAllFail.HOLD or left <= 0:
        return others
    return f"{others}, or {duration(left)} have passed"


def floor_ends(verdict: Verdict, past: ServerMemory, cluster: Cluster, now: BootSeconds) -> str:
    """Return how many servers must be in service without it."""
    del verdict, past, now
    number = cluster.min_in_service
    return f"enough others are in service: min_in_service is {number}"


def _rounds(number: int, kind: str) -> str:
    if number <= 0:
        return ""
    return f"{quantity(number, f'more {kind} round')} in a row"


def min_out_seconds(past: ServerMemory, settings: Settle) -> float:
    """Return how long the server must stay out: twice as long with each flap."""
    doublings = min(max(0, len(past.fell) - 1), MOST_DOUBLINGS)
    return float(settings.min_out_seconds * 2**doublings)
