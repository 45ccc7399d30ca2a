"""One round of the agent: a look, and when it failed another one at once to confirm it.

A failure that is gone on a fresh connection inside the same deadline removes nobody; one that is
still there need not wait for more rounds to be believed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from tenacity import RetryCallState, Retrying, retry_if_result, stop_after_attempt

from ldaphealth.check import Planned
from ldaphealth.deadline import Deadline
from ldaphealth.model import Kind, Observation, Server

Look = Callable[[Server, Sequence[Planned], Deadline], list[Observation]]
SCREENING_PART = 0.6  # of the deadline; the rest is left for the confirmation

Trouble = tuple[str, Kind]  # which check failed, and how


def round_of(
    server: Server,
    checks: Sequence[Planned],
    deadline_seconds: float,
    known: Collection[Trouble],
    look: Look,
) -> list[Observation]:
    """Return what was seen, the confirmation last. What failed before needs no second opinion.

    A wrong password that is tried twice as often locks an account; so `known` trouble is not.
    """
    deadline = Deadline.after(deadline_seconds)
    seen: list[Observation] = []

    def once() -> list[Observation]:
        is_screening = not seen and not known
        until = Deadline.after(SCREENING_PART * deadline_seconds) if is_screening else deadline
        latest = look(server, checks, until)
        seen.extend(latest)
        return latest

    Retrying(
        stop=stop_after_attempt(2),
        retry=retry_if_result(lambda latest: bool(troubles(latest) - frozenset(known))),
        retry_error_callback=_whatever_came,
    )(once)
    return seen


def troubles(seen: Iterable[Observation]) -> frozenset[Trouble]:
    """Return what failed by the fault of the server, and was not better when looked at again."""
    latest = {each.check: each for each in seen}
    return frozenset(
        (each.check, each.failure.kind)
        for each in latest.values()
        if each.failure is not None and not each.failure.ours
    )


def _whatever_came(_: RetryCallState) -> list[Observation]:
    return []
