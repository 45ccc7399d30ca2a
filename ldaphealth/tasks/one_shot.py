"""The whole flow without memory: probe every server, a second look if needed, judge, guard.

Read this first. The `check` command calls `evaluate` and passes the snapshot to a sink.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
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
SECOND_LOOK_SHARE = 0.25  # of the deadline, for the second look without the pause before it
NO_OVERRIDES: Mapping[str, Memory] = {}

Probe = Callable[[Server, Sequence[ConfiguredCheck], Deadline], list[AnyObservation]]


def evaluate(  # noqa: PLR0913  tests pass the clocks
    clusters: Iterable[Cluster],
    *,
    effects: frozenset[CheckEffect] = frozenset(CheckEffect),
    probe: Probe = probe_server,
    overrides: Mapping[str, Memory] = NO_OVERRIDES,
    pause: Callable[[float], None] = sleep,
    now: Callable[[], EpochSeconds] = epoch_seconds,
) -> Snapshot:
    """Return the verdicts on all servers of the clusters, each within its cluster's deadline.

    Only checks with one of the `effects` are run, and the steps of the session. Surveys are never
    run, because they take longer than a probe. `overrides` has, by cluster, the memory with the
    overrides that the agent keeps.
    """
    selected = [_with_effects(cluster, effects) for cluster in clusters]
    servers = sum(len(cluster.servers) for cluster in selected)
    if not servers:
        return Snapshot(now(), ())
    with (
        ThreadPoolExecutor(min(MAX_THREADS, servers), "probe") as pool,
        ThreadPoolExecutor(len(selected), "cluster") as coordinators,
    ):
        rounds = coordinators.map(
            lambda each: evaluate_cluster(
                each, overrides.get(each.name, Memory()), pool, probe=probe, pause=pause
            ),
            selected,
        )
        return Snapshot(now(), tuple(verdict for verdicts in rounds for verdict in verdicts))


def _with_effects(cluster: Cluster, effects: frozenset[CheckEffect]) -> Cluster:
    wanted = tuple(
        planned
        for planned in cluster.round_checks
        if planned.name in SESSION or planned.effect in effects
    )
    return replace(cluster, checks=wanted)


def evaluate_cluster(  # noqa: PLR0913  tests pass the pause
    cluster: Cluster,
    memory: Memory,
    pool: Executor,
    *,
    probe: Probe = probe_server,
    pause: Callable[[float], None] = sleep,
    known: Mapping[str, Sequence[AnyObservation]] = {},
) -> tuple[Verdict, ...]:
    """Probe one cluster, take the second look that judges need, and return its verdicts.

    The servers in `known` are not probed: they are judged by these observations, if there are any.
    """
    deadline = Deadline.after(cluster.deadline_seconds)
    second_look_at = (
        deadline.at - cluster.second_look_seconds - SECOND_LOOK_SHARE * cluster.deadline_seconds
    )
    recent = RecentObservations()
    for observation in (each for seen in known.values() for each in seen):
        recent.add(observation)
    probed = [server for server in cluster.servers if server.id not in known]
    pending = [
        pool.submit(probe, server, cluster.round_checks_of(server), deadline) for server in probed
    ]
    done, running = wait(pending, timeout=max(0.0, second_look_at - monotonic()))
    first = _observations(done)
    for observation in first:
        recent.add(observation)
    looks = second_look(cluster, recent)
    wanted = {server.id: looks[server.id] for server in probed if server.id in looks}
    second: list[Future[list[AnyObservation]]] = []
    if wanted:
        pause(cluster.second_look_seconds)
        second = [
            pool.submit(probe, server, _selected_checks(cluster, wanted[server.id]), deadline)
            for server in probed
            if server.id in wanted
        ]
    late = _observations(wait(running).done)
    for observation in (*late, *_valid_second(_observations(wait(second).done), first)):
        recent.add(observation)
    findings = judge(cluster, recent, one_shot=True)
    return decide(cluster, findings, memory, boot_seconds()).verdicts


def _selected_checks(cluster: Cluster, names: Sequence[str]) -> list[ConfiguredCheck]:
    return [p for p in cluster.checks if p.name in SESSION or p.name in names]


def _observations(done: Iterable[Future[list[AnyObservation]]]) -> list[AnyObservation]:
    return [observation for future in done for observation in _result(future)]


def _valid_second(
    second: Iterable[AnyObservation], first: Iterable[AnyObservation]
) -> Iterator[AnyObservation]:
    """Yield the observations of a second look that may replace the first ones.

    A second look has less time than a server may take, so its timeouts are left out. A fast connect
    or bind does not replace a slow one of the first look.
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
    # A defect of the program; the other servers still get their verdicts.
    log.error("a probe failed", exc_info=error)
    return []
