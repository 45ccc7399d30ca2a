"""The thresholds of the draft, from the times that were measured."""

from __future__ import annotations

from typing import Any

from ldaphealth.checks import BUILT_IN
from ldaphealth.discover.draft import OFF, Draft, search_names
from ldaphealth.discover.measured_times import RULE, MeasuredTimes, NormalTime, normal_time
from ldaphealth.judging.suggested_limits import suggested_deadline, suggested_limits
from ldaphealth.text.duration import brief
from ldaphealth.text.quantity import quantity

# The setting by the name of a check; `latency` judges binds and searches.
STEPS = ("connect", "bind", "unbind")
LATENCY = "latency"
DEFAULT_DEADLINE_SECONDS = 5.0
MOST_FAILURES = 3  # that are quoted of one server


def add_thresholds(draft: Draft, measured: MeasuredTimes) -> None:
    """Set `seconds` of each check that was measured, and comment on sessions that failed."""
    searches = [*search_names(draft.checks)]
    wanted = {name: (name,) for name in (*STEPS, *searches)} | {LATENCY: ("bind", *searches)}
    largest = 0.0
    for name, measured_checks in wanted.items():
        normal = normal_time(measured, measured_checks)
        if normal is None or draft.checks.get(name) == OFF:
            continue
        limits = suggested_limits(normal.seconds, _default(name))
        largest = max(largest, limits["critical"])
        draft.set_check(name, {"seconds": limits})
        draft.comment_on_check(name, _shown(normal))
    _set_deadline(draft, largest)
    for server, failures in measured.failures.items():
        if failures:
            place = ("clusters", draft.cluster, "servers", server)
            said = "; ".join([*dict.fromkeys(failures)][:MOST_FAILURES])
            text = (
                f"{len(failures)} of {measured.sessions[server]} measured sessions failed: {said}"
            )
            draft.comments.setdefault(place, []).append(text)


def rule_lines(seconds: float, measured: MeasuredTimes) -> list[str]:
    """Return how the thresholds were made, for the head of the file."""
    sessions = sum(measured.sessions.values())
    return [f"Thresholds: {quantity(sessions, 'session')} in {seconds:g} s. {RULE}."]


def _default(name: str) -> Any:
    kind = name if name in BUILT_IN else "search"
    return BUILT_IN[kind].params().seconds


def _shown(normal: NormalTime) -> str:
    return (
        f"measured: {brief(normal.seconds)} is the 0.99 quantile of {normal.slowest}, the slowest "
        f"({quantity(normal.operations, 'time')} in all)"
    )


def _set_deadline(draft: Draft, largest_critical: float) -> None:
    """Leave room in a session for the slowest operation that is not yet CRITICAL."""
    needed = suggested_deadline(largest_critical, DEFAULT_DEADLINE_SECONDS)
    if needed is not None:
        draft.data["clusters"][draft.cluster]["deadline_seconds"] = needed
        place = ("clusters", draft.cluster, "deadline_seconds")
        draft.comments[place] = ["twice the largest critical threshold below"]
