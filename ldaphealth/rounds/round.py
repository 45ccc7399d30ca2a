"""One round of the agent: a probe, and more probes to confirm a failure, all under one deadline.

A failure that is gone on a fresh connection removes no server. One that persists need not wait for
more rounds to be confirmed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Container, Iterable, Sequence
from concurrent.futures import Executor, Future
from contextlib import suppress
from threading import Lock
from time import monotonic

from msgspec import Struct
from msgspec.structs import replace
from tenacity import RetryCallState, Retrying, retry_if_result, wait_fixed

from ldaphealth import waiting
from ldaphealth.clocks import MonotonicSeconds, RunningSeconds
from ldaphealth.judging.judge import trust
from ldaphealth.judging.summaries import probes
from ldaphealth.ldap.deadline import Deadline
from ldaphealth.model import AnyObservation, Credentials, FailureKind, Server, Trust
from ldaphealth.settings import ConfiguredCheck

log = logging.getLogger(__name__)

Probe = Callable[[Server, Sequence[ConfiguredCheck], Deadline], list[AnyObservation]]
Observations = list[AnyObservation]
FailedCheck = tuple[str, FailureKind]  # the name of a check that failed, and the kind

# When a probe has not ended by this part of the deadline, another one starts on a fresh connection.
# The first one continues: a server that needs most of its deadline is slow, and not dead.
SLOW_PART = 0.5
PAUSE_SECONDS = 0.3
GRACE_SECONDS = 0.2  # after the deadline, for a probe that ends at it to report its end


class RoundPlan(Struct, frozen=True):
    """The server, checks and times of a round, and the failures of the round before (`known`)."""

    server: Server
    checks: Sequence[ConfiguredCheck]
    deadline_seconds: float
    confirm_seconds: float
    known: frozenset[FailedCheck] = frozenset()

    def confirming(self, seen: Sequence[AnyObservation]) -> RoundPlan:
        """Return the plan of another probe: an account that was refused is not tried again.

        That is for the accounts of checks: without that of the server there is no session. A login
        that was tried is not tried again, whatever its result.
        """
        refused = {
            each.check
            for each in seen
            if each.failure is not None and each.failure.kind is FailureKind.BIND
        }
        tried = {each.check for each in seen}
        plan = self._without({each.credentials for each in self.checks if each.name in refused})
        left = (each for each in plan.checks if not (each.check.observe_as and each.name in tried))
        return replace(plan, checks=tuple(left))

    def parallel(self) -> RoundPlan:
        """Return the plan of a parallel probe: accounts of checks are not tried twice at a time.

        Nor does a check run twice that may block, and so hold two threads.
        """
        plan = self._without({each.credentials for each in self.checks})
        return replace(plan, checks=tuple(each for each in plan.checks if not each.check.may_block))

    def _without(self, accounts: Container[Credentials | None]) -> RoundPlan:
        left = (
            each for each in self.checks if not (each.credentials in accounts and each.credentials)
        )
        return replace(self, checks=tuple(left))

    def has_new_failure(self, latest: Iterable[AnyObservation]) -> bool:
        """Return whether a check failed that did not fail so in the round before."""
        return bool(failed_checks(latest) - self.known)


def run_round(
    round_: RoundPlan,
    probe: Probe,
    calls: Executor,
    pause: Callable[[float], None] = waiting.pause,
    now: Callable[[], RunningSeconds] = monotonic,
) -> Observations:
    """Return the observations of the round; of a check the last one counts.

    `calls` runs the second probe of a slow server.

    A failure of the round before is not confirmed again: a wrong password that is tried twice as
    often locks an account. `now` is the clock of the deadline.
    """
    deadline = Deadline.after(round_.deadline_seconds, now)
    return _with_answers(_probe_and_confirm(round_, probe, deadline, calls, pause))


def _probe_and_confirm(
    round_: RoundPlan,
    probe: Probe,
    deadline: Deadline,
    calls: Executor,
    pause: Callable[[float], None],
) -> Observations:
    parallel = _ParallelProbe(round_, probe, deadline, calls)
    try:
        first = probe(round_.server, round_.checks, deadline)
    finally:
        parallel.cancel()
    if not round_.has_new_failure(first):
        return first
    if parallel.is_started:
        second = parallel.wait()
        # It had less time, so its timeout counts only if the first probe got no answer either.
        return first if _timed_out(second) and _came_further(first) else first + second
    return first + _confirmations(round_, probe, deadline, first, pause)


def last_probe(seen: Sequence[AnyObservation]) -> MonotonicSeconds | None:
    """Return when the last probe of a round began; None if nothing was observed."""
    of_round = probes(seen)
    return of_round[-1][0].started_at if of_round else None


def silent_since(seen: Sequence[AnyObservation]) -> MonotonicSeconds | None:
    """Return when the first of the latest probes in a row without LDAP service began.

    None if the last probe of the round had LDAP service until its end. A probe that got answers and
    then ran into the deadline counts from the check that was not answered: the server was well
    before.
    """
    began = None
    for probe in reversed(probes(seen)):
        if not _is_hard(probe):
            return probe[-1].started_at if _timed_out(probe) else began
        began = probe[0].started_at
    return began


def lost_at(seen: Sequence[AnyObservation]) -> MonotonicSeconds | None:
    """Return when the latest probe without LDAP service began, of a round that ended with it.

    None for another round: each of its probes had LDAP service, or the last one had none.
    """
    of_round = probes(seen)
    if not of_round or _is_hard(of_round[-1]):
        return None
    return next((each[0].started_at for each in reversed(of_round) if _is_hard(each)), None)


def last_answer(seen: Sequence[AnyObservation]) -> MonotonicSeconds | None:
    """Return when the server last answered in a round that ran into its deadline.

    None for another round: it ended with an answer, or without any. A connection alone is no
    answer: the kernel accepts it for a server that is stopped.
    """
    if not any(kind is FailureKind.TIMEOUT for _, kind in failed_checks(seen)):
        return None
    silent = (FailureKind.TIMEOUT, FailureKind.CONNECT)
    ends = [
        each.ended_at
        for each in seen
        if each.check != seen[0].check and (each.failure is None or each.failure.kind not in silent)
    ]
    return max(ends, default=seen[0].started_at)


def failed_checks(seen: Iterable[AnyObservation]) -> frozenset[FailedCheck]:
    """Return the checks that failed in their last observation, without local failures."""
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
    """Probe again until there is no new failure, or it has lasted `confirm_seconds`.

    So a server that is restarted within that time stays in service. A soft failure is probed only
    once more: it must last for several rounds anyway.
    """
    seen: Observations = []
    # The server had this time, also if this process did not run: but then a probe follows it.
    until = monotonic() + (round_.confirm_seconds if _is_hard(first) else 0.0)
    # A probe that starts later would have too little time, and a healthy server would time out.
    last = deadline.at - SLOW_PART * round_.deadline_seconds
    began: list[MonotonicSeconds] = []

    def probe_again() -> Observations:
        began.append(monotonic())
        checks = round_.confirming([*first, *seen]).checks
        latest = probe(round_.server, checks, deadline)
        seen.extend(latest)
        return latest

    def is_over(_: RetryCallState) -> bool:
        return began[-1] + PAUSE_SECONDS > until or deadline.now() + PAUSE_SECONDS > last

    if deadline.now() > last:
        return []
    Retrying(
        stop=is_over,
        wait=wait_fixed(PAUSE_SECONDS),
        retry=retry_if_result(round_.has_new_failure),
        retry_error_callback=lambda _: [],
        sleep=pause,
    )(probe_again)
    return seen


def _with_answers(seen: Observations) -> Observations:
    """Return the observations; a timeout of a server that answered in another probe says so."""
    if not any(each.failure is not None and each.failure.answered for each in seen):
        return seen
    return [
        replace(each, failure=replace(each.failure, answered=True))
        if each.failure is not None and each.failure.kind is FailureKind.TIMEOUT
        else each
        for each in seen
    ]


def _came_further(first: Iterable[AnyObservation]) -> bool:
    """Return whether a probe ended before the deadline, or with at least one LDAP response."""
    return not _timed_out(first) or any(each.failure and each.failure.answered for each in first)


def _is_hard(seen: Iterable[AnyObservation]) -> bool:
    return any(each.failure is not None and trust(each.failure) is Trust.HARD for each in seen)


def _timed_out(seen: Iterable[AnyObservation]) -> bool:
    return any(
        each.failure is not None and each.failure.kind is FailureKind.TIMEOUT for each in seen
    )


class _ParallelProbe:
    """A probe that starts when the first one is slow, and runs in parallel with it.

    In a thread a call waits for that moment beside the first one: a timer would be a thread in each
    round. In an event loop it is begun at that moment.
    """

    def __init__(
        self, round_: RoundPlan, probe: Probe, deadline: Deadline, calls: Executor
    ) -> None:
        self.is_started = False
        self._round, self._probe, self._deadline = round_, probe, deadline
        self._at = deadline.at - SLOW_PART * round_.deadline_seconds
        self._first_ended, self._starting = waiting.Signal(), Lock()
        self._second: Future[Observations] = Future()
        # A wrong password is not tried twice, nor is a server that timed out in the round before.
        other = {each.name for each in round_.checks if each.credentials is not None}
        own = (kind for check, kind in round_.known if check not in other)
        if any(kind in (FailureKind.TIMEOUT, FailureKind.BIND) for kind in own):
            return
        with suppress(RuntimeError):  # the agent ends
            self._second = waiting.call_beside(self._run, self._at - deadline.now(), calls)

    def cancel(self) -> None:
        """Do not start it any more."""
        with self._starting:
            self._first_ended.set()
        self._second.cancel()

    def wait(self) -> Observations:
        """Wait for its observations, which end at the deadline; none if it hangs."""
        while not self._second.done() and (left := self._deadline.at - self._deadline.now()) > 0:
            waiting.for_future(self._second, left)
        waiting.for_future(self._second, GRACE_SECONDS)
        if not self._second.done():
            return []
        if error := self._second.exception():
            log.error("a second probe failed", exc_info=error)
            return []
        return self._second.result()

    def _run(self) -> Observations:
        while not self._first_ended.is_set and (left := self._at - self._deadline.now()) > 0:
            self._first_ended.wait(left)
        with self._starting:
            if self._first_ended.is_set:
                return []
            self.is_started = True
        return self._probe(self._round.server, self._round.parallel().checks, self._deadline)
