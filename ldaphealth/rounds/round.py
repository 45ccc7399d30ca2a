"""One round of the agent: a look, and when it fails others to confirm it, all under one deadline.

A failure that is gone on a fresh connection removes nobody; one that stays need not wait for more
rounds to be believed.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from time import sleep

from msgspec import Struct
from tenacity import RetryCallState, Retrying, retry_if_result, wait_fixed

from ldaphealth.judging.judge import trust
from ldaphealth.ldap.deadline import Deadline
from ldaphealth.model import AnyObservation, FailureKind, Server, Trust
from ldaphealth.settings import ConfiguredCheck

log = logging.getLogger(__name__)

Probe = Callable[[Server, Sequence[ConfiguredCheck], Deadline], list[AnyObservation]]
Observations = list[AnyObservation]
FailedCheck = tuple[str, FailureKind]  # which check failed, and how

# A look that has not ended by this part of the deadline gets company on a fresh connection. It must
# not be cut short for that: a server that needs most of its deadline is slow, and not dead.
PATIENCE_PART = 0.5
PAUSE_SECONDS = 0.3
STANDSTILL_SECONDS = 0.2


class RoundPlan(Struct, frozen=True):
    """What to look at, for how long, and what is known to be wrong there."""

    server: Server
    checks: Sequence[ConfiguredCheck]
    deadline_seconds: float
    confirm_seconds: float
    known: frozenset[FailedCheck] = frozenset()

    def news(self, latest: Iterable[AnyObservation]) -> bool:
        """Tell whether something failed that did not fail in the round before."""
        return bool(failed_checks(latest) - self.known)


def run_round(
    round_: RoundPlan, probe: Probe, pause: Callable[[float], None] = sleep
) -> Observations:
    """Return what was seen, what counts last.

    What failed before needs no second opinion: a wrong password that is tried twice as often locks
    an account. No look outlives its deadline by itself. One that did was stopped with its process
    (a snapshot of the virtual machine, no CPU): its timeouts say nothing, and it is done again.
    """
    for _ in range(2):
        deadline = Deadline.after(round_.deadline_seconds)
        seen = _confirmed(round_, probe, deadline, pause)
        if not failed_checks(seen) or deadline.now() <= deadline.at + STANDSTILL_SECONDS:
            break
        log.warning("this machine stood still", extra={"server": round_.server.id})
    return seen


def _confirmed(
    round_: RoundPlan, probe: Probe, deadline: Deadline, pause: Callable[[float], None]
) -> Observations:
    company = _Company(round_, probe, deadline)
    try:
        first = probe(round_.server, round_.checks, deadline)
    finally:
        company.cancel()
    if not round_.news(first):
        return first
    if company.came:
        second = company.seen()
        # It had less time: that it timed out says something only where the first one did, too.
        return first if _timed_out(second) and not _timed_out(first) else first + second
    return first + _confirmations(round_, probe, deadline, first, pause)


def failed_checks(seen: Iterable[AnyObservation]) -> frozenset[FailedCheck]:
    """Return what failed by the fault of the server, and was not better when looked at again."""
    latest = {each.check: each for each in seen}
    return frozenset(
        (each.check, each.failure.kind)
        for each in latest.values()
        if each.failure is not None and not each.failure.is_local
    )


def _confirmations(
    round_: RoundPlan,
    probe: Probe,
    deadline: Deadline,
    first: Observations,
    pause: Callable[[float], None],
) -> Observations:
    """Look again until all is well, or the failure has lasted `confirm_seconds`.

    So a server that is restarted within that time stays in. A broken expectation is looked at once
    more and no longer: it takes several rounds to be believed.
    """
    seen: Observations = []
    until = deadline.now() + (round_.confirm_seconds if _is_hard(first) else 0.0)
    # What is left must be enough to be fair: else our own hurry would look like a silent server.
    last = min(until, deadline.at - PATIENCE_PART * round_.deadline_seconds)

    def again() -> Observations:
        latest = probe(round_.server, round_.checks, deadline)
        seen.extend(latest)
        return latest

    def is_over(_: RetryCallState) -> bool:
        return deadline.now() + PAUSE_SECONDS > last

    if deadline.now() > deadline.at - PATIENCE_PART * round_.deadline_seconds:
        return []
    Retrying(
        stop=is_over,
        wait=wait_fixed(PAUSE_SECONDS),
        retry=retry_if_result(round_.news),
        retry_error_callback=lambda _: [],
        sleep=pause,
    )(again)
    return seen


def _is_hard(seen: Iterable[AnyObservation]) -> bool:
    return any(each.failure is not None and trust(each.failure) is Trust.HARD for each in seen)


def _timed_out(seen: Iterable[AnyObservation]) -> bool:
    return any(
        each.failure is not None and each.failure.kind is FailureKind.TIMEOUT for each in seen
    )


class _Company:
    """A second look beside a first one that takes long; it begins when that has lost patience."""

    def __init__(self, round_: RoundPlan, probe: Probe, deadline: Deadline) -> None:
        self.came = False
        self._round, self._probe, self._deadline = round_, probe, deadline
        self._seen: Observations = []
        self._ended = threading.Event()
        self._timer = threading.Timer(PATIENCE_PART * round_.deadline_seconds, self._run)
        self._timer.daemon = True
        # A wrong password is not tried twice; a server that hung before is not waited for twice.
        if not any(kind in (FailureKind.TIMEOUT, FailureKind.BIND) for _, kind in round_.known):
            self._timer.start()

    def cancel(self) -> None:
        """Begin no more."""
        self._timer.cancel()

    def seen(self) -> Observations:
        """Wait for what the second look sees; a look that hangs is not waited for."""
        self._ended.wait(max(0.0, self._deadline.at - self._deadline.now()))
        return self._seen

    def _run(self) -> None:
        self.came = True
        try:
            self._seen = self._probe(self._round.server, self._round.checks, self._deadline)
        finally:
            self._ended.set()
