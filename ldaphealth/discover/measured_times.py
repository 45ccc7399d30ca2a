"""The times of normal sessions, and thresholds that they do not break.

All servers are measured at once, each with one session after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from threading import Event
from time import monotonic

from msgspec import Struct

from ldaphealth.checks import SESSION
from ldaphealth.clocks import MonotonicSeconds
from ldaphealth.judging.quantile import quantile
from ldaphealth.judging.suggested_limits import CRITICAL_TIMES, WARNING_TIMES
from ldaphealth.ldap.accounts import Accounts
from ldaphealth.ldap.deadline import Deadline
from ldaphealth.model import AnyObservation, Server
from ldaphealth.rounds.probe import probe_server
from ldaphealth.settings import Cluster
from ldaphealth.workers import Workers

SHARE = 0.99
SESSIONS = 60  # of one server, if they take less than the time for it
LEAST_PAUSE_SECONDS, MOST_PAUSE_SECONDS = 0.1, 1.0
MOST_THREADS = 64
RULE = (
    f"warning: {WARNING_TIMES} times the {SHARE} quantile of the slowest server, critical: "
    f"{CRITICAL_TIMES} times; at least the default of the check"
)


class MeasuredTimes(Struct, kw_only=True):
    """The seconds of each check by server, and the sessions that failed. Threads add to it.

    A dictionary has the numbers of one server by check, which one thread writes.
    """

    seconds: dict[str, dict[str, list[float]]]
    sessions: dict[str, int]
    failures: dict[str, list[str]]

    def add(self, server: str, observations: Iterable[AnyObservation]) -> None:
        """Add one session; the time of a check is that of its operations."""
        self.sessions[server] += 1
        for each in observations:
            if each.failure is not None:
                self.failures[server].append(f"{each.check}: {each.failure.detail}")
                return
            times = self.seconds[server].setdefault(each.check, [])
            times.append(sum(each.timings.values()))


class NormalTime(Struct, frozen=True, kw_only=True):
    """The quantile of the server with the largest one, and of how many operations in all."""

    seconds: float
    operations: int
    slowest: str


def measure(
    cluster: Cluster,
    seconds: float,
    accounts: Accounts,
    stop: Event,
    now: Callable[[], MonotonicSeconds] = monotonic,
) -> MeasuredTimes:
    """Open sessions with all servers for so many seconds, or until `stop` is set."""
    names = [each.name for each in cluster.servers]
    measured = MeasuredTimes(
        seconds={name: {} for name in names},
        sessions=dict.fromkeys(names, 0),
        failures={name: [] for name in names},
    )
    ends = now() + seconds
    pause = min(MOST_PAUSE_SECONDS, max(LEAST_PAUSE_SECONDS, seconds / SESSIONS))

    def repeat(server: Server) -> None:
        checks = [
            each
            for each in cluster.round_checks_of(server)
            if each.name in SESSION or each.check.name == "search"
        ]
        while now() < ends and not stop.is_set():
            began = now()
            deadline = Deadline.after(cluster.deadline_seconds)
            measured.add(server.name, probe_server(server, checks, deadline, accounts))
            stop.wait(max(0.0, min(began + pause, ends) - now()))

    pool = Workers("measure", min(MOST_THREADS, len(names)))
    try:
        for running in [pool.submit(repeat, each) for each in cluster.servers]:
            running.result()
    finally:
        stop.set()
        pool.shutdown(wait=False, cancel_futures=True)
    return measured


def normal_time(measured: MeasuredTimes, checks: Iterable[str]) -> NormalTime | None:
    """Return the normal time of these checks, None if none of them was measured."""
    wanted = [*checks]
    by_server: Mapping[str, list[float]] = {
        server: [each for check in wanted for each in of.get(check, ())]
        for server, of in measured.seconds.items()
    }
    quantiles = {server: quantile(of, SHARE) for server, of in by_server.items() if of}
    if not quantiles:
        return None
    slowest = max(quantiles, key=lambda server: quantiles[server])
    return NormalTime(
        seconds=quantiles[slowest],
        operations=sum(map(len, by_server.values())),
        slowest=slowest,
    )
