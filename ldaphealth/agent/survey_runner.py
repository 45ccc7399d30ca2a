"""Run the surveys of all clusters, each in a thread, without delaying the rounds.

A survey is due once an interval, and soon after a server came back.

The agent's thread calls everything here but `_work`. The end of a survey is a message to it. A
survey never overlaps with itself. At its deadline it is reported as failed.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from time import monotonic
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from ldaphealth.agent.schedule import Schedule
from ldaphealth.clocks import BootSeconds, RunningSeconds, whole_microseconds
from ldaphealth.ldap.deadline import Deadline
from ldaphealth.ldap.session import open_session
from ldaphealth.model import AnyObservation, Failure, FailureKind, Observation, Server
from ldaphealth.settings import Cluster, ConfiguredCheck
from ldaphealth.survey import (
    Opening,
    Past,
    StoppedError,
    SurveyContext,
    SurveyFacts,
    SurveyResult,
    without_past,
)
from ldaphealth.text.printable import printable
from ldaphealth.workers import Workers

log = logging.getLogger(__name__)

MARGIN_SECONDS = 1.0  # after the deadline, for a survey that keeps it to report its end
LEAST_INTERVAL_SECONDS = 0.1  # a third party's check may have a shorter one
# A server that came back is surveyed after this time, in which its replication links reconnect.
RETURN_SECONDS = 10.0
RETRY_SECONDS = 1.0  # while the survey before is in progress
MOST_SURVEYS = 256  # at the same time


class SurveyRun:
    """One survey in progress. `is_given_up`: its deadline passed, and its thread still hangs."""

    def __init__(
        self,
        key: str,
        cluster: Cluster,
        planned: ConfiguredCheck,
        returned: frozenset[str] = frozenset(),
        now: Callable[[], RunningSeconds] = monotonic,
    ) -> None:
        self.key, self.cluster, self.planned, self.returned = key, cluster, planned, returned
        self.deadline = Deadline.after(planned.params.deadline_seconds, now)
        self.began = whole_microseconds(monotonic())
        self.stop = threading.Event()
        self.is_given_up = False

    @property
    def servers(self) -> tuple[Server, ...]:
        """Return the servers that it watches."""
        return self.cluster.servers_of(self.planned)

    def is_of(self, cluster: Cluster, planned: ConfiguredCheck) -> bool:
        """Return whether it was started with these servers and settings."""
        return self.cluster.servers == cluster.servers and self.planned == planned


class SurveyEnded(Struct, frozen=True):
    """A message: the observations of a survey. `has_ended` is False if its thread hangs."""

    run: SurveyRun
    seen: tuple[AnyObservation, ...]
    kept: Any = None
    has_ended: bool = True


class SurveyRunner:
    """The configured surveys, when each is due, and those in progress."""

    def __init__(
        self,
        deliver: Callable[[SurveyEnded], None],
        random: Callable[[], float],
        now: Callable[[], RunningSeconds] = monotonic,
        opening: Opening = open_session,
        past: Past = without_past,
    ) -> None:
        self._deliver, self._now = deliver, now
        self._opening, self._past = opening, past
        self._threads = Workers("survey", MOST_SURVEYS)
        self._planned: dict[str, tuple[Cluster, ConfiguredCheck]] = {}
        self._schedule = Schedule({}, 0.0, random)
        self._kept: dict[str, Any] = {}
        self._running: dict[str, SurveyRun] = {}
        self._returned: dict[str, dict[str, BootSeconds]] = {}  # when servers are due, by survey

    def plan(self, clusters: Iterable[Cluster], now: BootSeconds) -> None:
        """Run the surveys of these clusters from now on. Unchanged ones in progress continue."""
        before = self._planned
        self._planned = {
            f"{cluster.name}/{planned.name}": (cluster, planned)
            for cluster in clusters
            for planned in cluster.surveys
            if cluster.servers_of(planned)
        }
        intervals = {
            key: max(LEAST_INTERVAL_SECONDS, planned.params.interval_seconds)
            for key, (_, planned) in self._planned.items()
        }
        self._schedule.plan(intervals, now)
        for key, after in self._planned.items():
            if key in before and _has_changed(before[key], after):
                self._kept.pop(key, None)
        self._kept = {key: each for key, each in self._kept.items() if key in self._planned}
        self._returned = {key: of for key, of in self._returned.items() if key in self._planned}
        for run in self._running.values():
            if not self._is_planned(run):
                run.stop.set()

    def start_due(self, now: BootSeconds) -> None:
        """Start the surveys that are due, and give up those past their deadline."""
        for run in self._running.values():
            if run.deadline.now() > run.deadline.at + MARGIN_SECONDS:
                self._give_up(run)
        for key in self._schedule.take(now):
            if key not in self._running:
                self._start(key, now)
        for key in self._schedule.take_hurried(now):
            if key in self._running:
                self._schedule.hurry(key, now + RETRY_SECONDS)
            elif self._returned.get(key):  # else the survey that was due has begun with them
                self._start(key, now)

    def hurry(self, cluster: str, returned: Iterable[str], now: BootSeconds) -> None:
        """Survey a cluster soon, beside its intervals: these servers came back."""
        for key, (planned_for, _) in self._planned.items():
            if planned_for.name == cluster:
                self._returned.setdefault(key, {}).update(
                    dict.fromkeys(returned, now + RETURN_SECONDS)
                )
                self._schedule.hurry(key, now + RETURN_SECONDS)

    def next_at(self) -> BootSeconds:
        """Return when a survey is due next."""
        return self._schedule.next_at()

    def accept(self, message: SurveyEnded) -> tuple[AnyObservation, ...]:
        """Record the end of a survey. Return its observations, none if they are out of date."""
        run = message.run
        if message.has_ended:
            del self._running[run.key]
            if run.is_given_up:
                return ()
        if not self._is_planned(run):  # the settings were reloaded meanwhile
            return ()
        if message.has_ended:
            self._kept[run.key] = message.kept
        return message.seen

    def close(self) -> None:
        """Start no more surveys, and request those in progress to stop, without waiting."""
        self._planned = {}
        self._schedule.plan({}, 0.0)
        for run in self._running.values():
            run.stop.set()
        self._threads.shutdown(wait=False)

    def _take_returned(self, key: str, now: BootSeconds) -> frozenset[str]:
        """Return the servers that came back long enough ago, and keep the others."""
        waiting = self._returned.pop(key, {})
        later = {server: at for server, at in waiting.items() if at > now}
        if later:
            self._returned[key] = later
            self._schedule.hurry(key, min(later.values()))
        return frozenset(waiting.keys() - later.keys())

    def _start(self, key: str, now: BootSeconds) -> None:
        returned = self._take_returned(key, now)
        run = self._running[key] = SurveyRun(key, *self._planned[key], returned, self._now)
        self._threads.submit(self._work, run, self._kept.get(key))

    def _is_planned(self, run: SurveyRun) -> bool:
        return run.key in self._planned and run.is_of(*self._planned[run.key])

    def _give_up(self, run: SurveyRun) -> None:
        if not run.is_given_up:
            run.is_given_up = True
            run.stop.set()
            detail = f"the check itself failed: it did not end within {run.deadline.seconds:g} s"
            log.error("a survey hangs", extra={"survey": run.key})
            self._deliver(SurveyEnded(run, _failed(run, detail), has_ended=False))

    def _work(self, run: SurveyRun, kept: Any) -> None:
        """Run one survey, in one of the threads. A message reports its end, in any case."""
        seen: tuple[AnyObservation, ...] = ()
        try:
            surveyed = _survey(run, kept, self._opening, self._past)
            seen, kept = _observations(run, surveyed), surveyed.kept
        except StoppedError:
            pass
        except Exception as error:  # an error in a check is no failure of the servers
            log.exception("a survey failed", extra={"survey": run.key})
            seen = _failed(run, f"the check itself failed: {type(error).__name__}: {error}")
        finally:
            self._deliver(SurveyEnded(run, seen, kept))


def _has_changed(
    before: tuple[Cluster, ConfiguredCheck], after: tuple[Cluster, ConfiguredCheck]
) -> bool:
    """Return whether the settings of a survey, or a server under the same name, are others."""
    (cluster, planned), (cluster_now, planned_now) = before, after
    known = {server.id: (server.uri, server.suffix) for server in cluster.servers}
    return planned != planned_now or any(
        known.get(server.id, current) != current
        for server in cluster_now.servers
        for current in [(server.uri, server.suffix)]
    )


def _survey(run: SurveyRun, kept: Any, opening: Opening, past: Past) -> SurveyResult[Any, Any]:
    check = run.planned.check
    if check.survey is None:
        raise TypeError(f"check {check.name} is not a survey")
    context = SurveyContext(
        servers=tuple(_as_account(run.planned, server) for server in run.servers),
        params=run.planned.params,
        deadline=run.deadline,
        kept=kept,
        returned=run.returned,
        open_session=opening,
        wait=run.stop.wait,
        past=past,
    )
    result: object = check.survey(context)
    if not isinstance(result, SurveyResult):  # a third party may return anything
        raise TypeError(f"{type(result).__name__} is not a SurveyResult")
    wrong = [
        each.facts for each in result.found.values() if not isinstance(each.facts, check.facts)
    ]
    if wrong:
        raise TypeError(f"{type(wrong[0]).__name__} is not the type of the facts of {check.name}")
    return result


def _as_account(planned: ConfiguredCheck, server: Server) -> Server:
    """Return a server with the credentials of the survey, if it has some of its own."""
    credentials = planned.credentials_on(server)
    return server if credentials is None else replace(server, credentials=credentials)


def _observations(run: SurveyRun, result: SurveyResult[Any, Any]) -> tuple[AnyObservation, ...]:
    return tuple(
        _observation(run, server.id, result.found[server.id])
        for server in run.servers
        if server.id in result.found
    )


def _failed(run: SurveyRun, detail: str) -> tuple[AnyObservation, ...]:
    failure = Failure(FailureKind.BUG, printable(detail), is_local=True)
    return tuple(_observation(run, server.id, None, failure) for server in run.servers)


def _observation(
    run: SurveyRun,
    server: str,
    found: SurveyFacts[Any] | None,
    failure: Failure | None = None,
) -> AnyObservation:
    return Observation(
        server=server,
        check=run.planned.name,
        started_at=run.began,
        duration_seconds=whole_microseconds(monotonic() - run.began),
        facts=None if found is None else found.facts,
        timings={} if found is None else dict(found.timings),
        failure=failure,
    )
