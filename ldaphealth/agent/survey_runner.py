"""The threads that do the surveys of all clusters, beside the rounds and never in their way.

The agent's thread calls everything here but `_work`; a survey that has ended comes back to it as a
letter. No survey overlaps with itself, and none is waited for past its deadline.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from typing import Any

from msgspec import Struct

from ldaphealth.agent.schedule import Schedule
from ldaphealth.clocks import BootSeconds
from ldaphealth.ldap.deadline import Deadline
from ldaphealth.ldap.session import open_session
from ldaphealth.model import AnyObservation, Failure, FailureKind, Observation
from ldaphealth.settings import Cluster, ConfiguredCheck
from ldaphealth.survey import StoppedError, SurveyContext, SurveyFacts, SurveyResult
from ldaphealth.text.printable import printable

log = logging.getLogger(__name__)

AIR_SECONDS = 1.0  # a survey that keeps its deadline may need a moment more to say so
LEAST_INTERVAL_SECONDS = 0.1  # whatever the settings of a third party say


class SurveyRun:
    """One survey under way. `is_given_up`: its deadline passed, and its thread still hangs."""

    def __init__(self, key: str, cluster: Cluster, planned: ConfiguredCheck) -> None:
        self.key, self.cluster, self.planned = key, cluster, planned
        self.deadline = Deadline.after(planned.params.deadline_seconds)
        self.began = self.deadline.now()
        self.stop = threading.Event()
        self.is_given_up = False

    def is_of(self, cluster: Cluster, planned: ConfiguredCheck) -> bool:
        """Tell whether it was begun with these servers and settings."""
        return self.cluster.servers == cluster.servers and self.planned == planned


class SurveyEnded(Struct, frozen=True):
    """A letter: what a survey brought. `has_ended` is False where its thread hangs."""

    run: SurveyRun
    seen: tuple[AnyObservation, ...]
    kept: Any = None
    has_ended: bool = True


class SurveyRunner:
    """Which surveys there are, when each is due, and which are under way."""

    def __init__(
        self,
        deliver: Callable[[SurveyEnded], None],
        random: Callable[[], float],
    ) -> None:
        self._deliver = deliver
        self._wanted: dict[str, tuple[Cluster, ConfiguredCheck]] = {}
        self._schedule = Schedule({}, 0.0, random)
        self._kept: dict[str, Any] = {}
        self._under_way: dict[str, SurveyRun] = {}

    def plan(self, clusters: Iterable[Cluster], now: BootSeconds) -> None:
        """Do the surveys of these clusters from now on; one that stays as it is goes on."""
        before = self._wanted
        self._wanted = {
            f"{cluster.name}/{planned.check.name}": (cluster, planned)
            for cluster in clusters
            for planned in cluster.surveys
        }
        intervals = {
            key: max(LEAST_INTERVAL_SECONDS, planned.params.interval_seconds)
            for key, (_, planned) in self._wanted.items()
        }
        self._schedule.plan(intervals, now)
        for key, wanted in self._wanted.items():
            if key in before and _is_about_another(before[key], wanted):
                self._kept.pop(key, None)
        self._kept = {key: each for key, each in self._kept.items() if key in self._wanted}
        for run in self._under_way.values():
            if not self._is_wanted(run):
                run.stop.set()

    def start_due(self, now: BootSeconds) -> None:
        """Begin what is due, and give up what is past its deadline."""
        for run in self._under_way.values():
            if run.deadline.now() > run.deadline.at + AIR_SECONDS:
                self._give_up(run)
        for key in self._schedule.take(now):
            if key not in self._under_way:
                self._begin(key)

    def next_at(self) -> BootSeconds:
        """Return when a survey is due next."""
        return self._schedule.next_at()

    def land(self, report: SurveyEnded) -> tuple[AnyObservation, ...]:
        """Take a letter, and return what counts of it."""
        run = report.run
        if report.has_ended:
            del self._under_way[run.key]
            if run.is_given_up:
                return ()
        if not self._is_wanted(run):  # a reload came between
            return ()
        if report.has_ended:
            self._kept[run.key] = report.kept
        return report.seen

    def close(self) -> None:
        """Begin nothing any more, and ask what is under way to end; nobody waits for it."""
        self._wanted = {}
        self._schedule.plan({}, 0.0)
        for run in self._under_way.values():
            run.stop.set()

    def _begin(self, key: str) -> None:
        run = self._under_way[key] = SurveyRun(key, *self._wanted[key])
        args = run, self._kept.get(key)
        try:
            threading.Thread(
                target=self._work, args=args, name=f"survey {key}", daemon=True
            ).start()
        except RuntimeError as error:  # the system gives us no more threads
            log.error("a survey cannot begin", extra={"survey": key, "error": str(error)})  # noqa: TRY400
            seen = _failed(run, f"the check itself failed: {error}")
            self._deliver(SurveyEnded(run, seen, self._kept.get(key)))

    def _is_wanted(self, run: SurveyRun) -> bool:
        return run.key in self._wanted and run.is_of(*self._wanted[run.key])

    def _give_up(self, run: SurveyRun) -> None:
        if not run.is_given_up:
            run.is_given_up = True
            run.stop.set()
            detail = f"the check itself failed: no end within {run.deadline.seconds:g} s"
            log.error("a survey hangs", extra={"survey": run.key})
            self._deliver(SurveyEnded(run, _failed(run, detail), has_ended=False))

    def _work(self, run: SurveyRun, kept: Any) -> None:
        """Do one survey in a thread of its own; whatever happens, a letter says that it ended."""
        seen: tuple[AnyObservation, ...] = ()
        try:
            surveyed = _survey(run, kept)
            seen, kept = _observations(run, surveyed), surveyed.kept
        except StoppedError:
            pass
        except Exception as error:  # a check's mistake says nothing about the servers
            log.exception("a survey failed", extra={"survey": run.key})
            seen = _failed(run, f"the check itself failed: {type(error).__name__}: {error}")
        finally:
            self._deliver(SurveyEnded(run, seen, kept))


def _is_about_another(
    before: tuple[Cluster, ConfiguredCheck], after: tuple[Cluster, ConfiguredCheck]
) -> bool:
    """Tell whether what was kept may be about other settings, or another server of that name."""
    (cluster, planned), (cluster_now, planned_now) = before, after
    was = {server.id: (server.uri, server.suffix) for server in cluster.servers}
    return planned != planned_now or any(
        was.get(server.id, here) != here
        for server in cluster_now.servers
        for here in [(server.uri, server.suffix)]
    )


def _survey(run: SurveyRun, kept: Any) -> SurveyResult[Any, Any]:
    check = run.planned.check
    if check.survey is None:
        raise TypeError(f"check {check.name} is no survey")
    context = SurveyContext(
        servers=run.cluster.servers,
        params=run.planned.params,
        deadline=run.deadline,
        kept=kept,
        open_session=open_session,
        wait=run.stop.wait,
    )
    result: object = check.survey(context)
    if not isinstance(result, SurveyResult):  # a third party may return anything
        raise TypeError(f"{type(result).__name__} is no SurveyResult")
    wrong = [
        each.facts for each in result.found.values() if not isinstance(each.facts, check.facts)
    ]
    if wrong:
        raise TypeError(f"{type(wrong[0]).__name__} is not the facts of {check.name}")
    return result


def _observations(run: SurveyRun, result: SurveyResult[Any, Any]) -> tuple[AnyObservation, ...]:
    return tuple(
        _observation(run, server.id, result.found[server.id])
        for server in run.cluster.servers
        if server.id in result.found
    )


def _failed(run: SurveyRun, detail: str) -> tuple[AnyObservation, ...]:
    failure = Failure(FailureKind.BUG, printable(detail), is_local=True)
    return tuple(_observation(run, server.id, None, failure) for server in run.cluster.servers)


def _observation(
    run: SurveyRun,
    server: str,
    found: SurveyFacts[Any] | None,
    failure: Failure | None = None,
) -> AnyObservation:
    return Observation(
        server=server,
        check=run.planned.check.name,
        started_at=run.began,
        duration_seconds=run.deadline.now() - run.began,
        facts=None if found is None else found.facts,
        timings={} if found is None else dict(found.timings),
        failure=failure,
    )
