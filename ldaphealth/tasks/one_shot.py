"""The whole flow without memory: look at every server, perhaps look again, judge, guard.

Read this first. The `check` command calls `evaluate` and hands the snapshot to a sink.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from time import monotonic, sleep

from msgspec.structs import replace

from ldaphealth.checks import SESSION
from ldaphealth.clocks import EpochSeconds, boot_seconds, epoch_seconds
from ldaphealth.guard import Memory, decide
from ldaphealth.judging.judge import judge, second_look
from ldaphealth.judging.recent_observations import RecentObservations
from ldaphealth.ldap.deadline import Deadline
from ldaphealth.model import (
    AnyObservation,
    CheckEffect,
    FailureKind,
    Server,
    Snapshot,
    Verdict,
)
from ldaphealth.rounds.probe import probe_server
from ldaphealth.settings import Cluster, ConfiguredCheck

log = logging.getLogger(__name__)

MAX_THREADS = 256
# The part of the deadline that a second look may take, after the pause before it.
SHARE = 0.25
NOTHING: Mapping[str, Memory] = {}

Probe = Callable[[Server, Sequence[ConfiguredCheck], Deadline], list[AnyObservation]]


def evaluate(  # noqa: PLR0913  what a test passes in
    clusters: Iterable[Cluster],
    *,
    effects: frozenset[CheckEffect] = frozenset(CheckEffect),
    probe: Probe = probe_server,
    overrides: Mapping[str, Memory] = NOTHING,
    pause: Callable[[float], None] = sleep,
    now: Callable[[], EpochSeconds] = epoch_seconds,
) -> Snapshot:
    """Return the verdicts on all servers of the clusters, each within its cluster's deadline.

    Checks whose effect is not wanted are left out, but for the steps of the session itself; surveys
    always, because they take longer than one look.
    `overrides` are, by cluster, the words of operators that the agent keeps.
    """
    asked = [_only(cluster, effects) for cluster in clusters]
    servers = sum(len(cluster.servers) for cluster in asked)
    if not servers:
        return Snapshot(now(), ())
    with (
        ThreadPoolExecutor(min(MAX_THREADS, servers), "probe") as pool,
        ThreadPoolExecutor(len(asked), "cluster") as coordinators,
    ):
        rounds = coordinators.map(lambda each: _round(each, overrides, pool, probe, pause), asked)
        return Snapshot(now(), tuple(verdict for verdicts in rounds for verdict in verdicts))


def _only(cluster: Cluster, effects: frozenset[CheckEffect]) -> Cluster:
    wanted = tuple(
        planned
        for planned in cluster.round_checks
        if planned.check.name in SESSION or planned.effect in effects
    )
    return replace(cluster, checks=wanted)


def _round(
    cluster: Cluster,
    overrides: Mapping[str, Memory],
    pool: ThreadPoolExecutor,
    probe: Probe,
    pause: Callable[[float], None],
) -> tuple[Verdict, ...]:
    """Look at one cluster, again where a judge must see more, and return its verdicts."""
    deadline = Deadline.after(cluster.deadline_seconds)
    again_at = deadline.at - cluster.second_look_seconds - SHARE * cluster.deadline_seconds
    recent = RecentObservations()
    pending = {
        pool.submit(probe, server, cluster.checks, deadline): server for server in cluster.servers
    }
    done, running = wait(pending, timeout=max(0.0, again_at - monotonic()))
    first = _seen(done)
    for observation in first:
        recent.add(observation)
    wanted = second_look(cluster, recent)
    again: list[Future[list[AnyObservation]]] = []
    if wanted:
        pause(cluster.second_look_seconds)
        again = [
            pool.submit(probe, server, _chosen(cluster, wanted[server.id]), deadline)
            for server in cluster.servers
            if server.id in wanted
        ]
    for observation in (*_seen(wait(running).done), *_counting(_seen(wait(again).done), first)):
        recent.add(observation)
    findings = judge(cluster, recent, one_shot=True)
    memory = overrides.get(cluster.name, Memory())
    return decide(cluster, findings, memory, boot_seconds()).verdicts


def _chosen(cluster: Cluster, names: Sequence[str]) -> list[ConfiguredCheck]:
    return [p for p in cluster.checks if p.check.name in SESSION or p.check.name in names]


def _seen(done: Iterable[Future[list[AnyObservation]]]) -> list[AnyObservation]:
    return [observation for future in done for observation in _result(future)]


def _counting(
    second: Iterable[AnyObservation], first: Iterable[AnyObservation]
) -> Iterator[AnyObservation]:
    """Yield what counts of second looks.

    They had less time than a server is given, so a timeout cannot blame; and one quick connect or
    bind is no excuse for a slow one a moment before.
    """
    steps = {(each.server, each.check): each for each in first if each.check in SESSION}
    for each in second:
        before = steps.get((each.server, each.check))
        if each.failure is not None:
            if each.failure.kind is not FailureKind.TIMEOUT:
                yield each
        elif before and sum(before.timings.values()) > sum(each.timings.values()):
            yield replace(each, timings=before.timings)
        else:
            yield each


def _result(future: Future[list[AnyObservation]]) -> list[AnyObservation]:
    error = future.exception()
    if error is None:
        return future.result()
    log.error("a look failed", exc_info=error)  # a defect of ours; the other servers are told
    return []
