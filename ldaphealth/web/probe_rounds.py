"""Which servers `/probe` probes, and when: as few as possible, however many requests there are.

A bind costs a server more than the request costs its client, and binds with a wrong password may
lock the account. So there is one round of probes at a time for each cluster, its result is shared
for a second, and only the requested servers are probed: the others are judged by what the agent
observed last.
"""

from __future__ import annotations

import asyncio
from collections.abc import Container, Iterable, Mapping, Sequence
from math import inf
from time import monotonic

from msgspec import Struct
from msgspec.structs import replace

from ldaphealth.clocks import BootSeconds, MonotonicSeconds, epoch_seconds
from ldaphealth.guard import Memory
from ldaphealth.ldap.deadline import Deadline
from ldaphealth.live.live_server import FIRST_CHECK, LiveServer
from ldaphealth.model import AnyObservation, FailureKind, Server, Snapshot
from ldaphealth.settings import Cluster, ConfiguredCheck
from ldaphealth.tasks.one_shot import Probe, evaluate_cluster
from ldaphealth.web.in_thread import AnswerThreads, BusyError
from ldaphealth.web.probe import ProbeRequest, ProbeResult
from ldaphealth.web.source import Source
from ldaphealth.workers import Workers

SHARED_SECONDS = 1.0
MOST_ROUNDS = 16  # of different clusters at the same time
MOST_PROBES = 64  # at the same time, in all rounds
LEAST_PART = 0.5  # of the deadline; a probe that starts with less would find false timeouts
SLACK_SECONDS = 0.05  # that a round may end later; the answer has 0.5 s more (probe.py)
VALID_ROUNDS = 2  # as many intervals is an observation of a refused bind used

Known = Mapping[str, Sequence[AnyObservation]]


class ProbeRound(Struct, frozen=True, kw_only=True):
    """A round of probes that has ended at `ended_at`."""

    request: ProbeRequest  # with all servers that were probed
    result: ProbeResult
    ended_at: MonotonicSeconds

    @property
    def is_fresh(self) -> bool:
        """Return whether it may still be shared."""
        return monotonic() - self.ended_at < SHARED_SECONDS

    def answers(self, request: ProbeRequest) -> bool:
        """Return whether it is an answer to this request: of its servers, checks and time."""
        return (
            self.request.cluster.checks == request.cluster.checks
            and self.request.seconds >= request.seconds
            and request.servers <= self.request.servers
        )


class _ClusterProbes:
    """The state of one cluster, until a reload changes its settings."""

    def __init__(self, configured: Cluster) -> None:
        self.configured = configured
        self.turn = asyncio.Lock()
        self.waiting: list[ProbeRequest] = []
        self.ended: list[ProbeRound] = []
        self.refused: dict[str, Sequence[AnyObservation]] = {}  # binds, by server


class ProbeRounds:
    """The rounds of all clusters. It is used by one event loop."""

    def __init__(self, source: Source, probe: Probe | None = None) -> None:
        self._source, self._probe = source, probe or source.probe
        self._clusters: dict[str, _ClusterProbes] = {}
        self._rounds = AnswerThreads(MOST_ROUNDS, threads=MOST_ROUNDS)
        self._threads = Workers("probe", MOST_PROBES)

    async def result(self, request: ProbeRequest) -> ProbeResult:
        """Return the result of a round with the requested servers, a new or a shared one.

        BusyError: other rounds of the cluster left too little time.
        """
        until = monotonic() + request.left_seconds
        state = self._state(request.configured)
        state.waiting.append(request)
        try:
            async with asyncio.timeout(request.left_seconds):
                await state.turn.acquire()
        except TimeoutError as error:
            raise BusyError from error
        finally:
            state.waiting.remove(request)
        try:
            state.ended = [each for each in state.ended if each.is_fresh]
            for each in state.ended:
                if each.answers(request):
                    return each.result
            return await self._run(state, with_time(request, until - monotonic()))
        finally:
            state.turn.release()

    def _state(self, configured: Cluster) -> _ClusterProbes:
        state = self._clusters.get(configured.name)
        if state is None or state.configured is not configured:
            state = self._clusters[configured.name] = _ClusterProbes(configured)
        return state

    async def _run(self, state: _ClusterProbes, request: ProbeRequest) -> ProbeResult:
        together = with_waiting(request, state.waiting)
        known = self._known(state, together)
        result = await self._rounds.run(lambda: self._probed(together, known))
        for server in together.servers - known.keys():
            seen = [each for each in result.seen if each.server == server]
            state.refused.pop(server, None)
            if is_refused(seen):
                state.refused[server] = seen
        state.ended.append(ProbeRound(request=together, result=result, ended_at=monotonic()))
        return result

    def _known(self, state: _ClusterProbes, request: ProbeRequest) -> Known:
        """Return the observations on the servers that are not probed.

        A bind that was refused is not repeated: the observation of the agent stands for it, or that
        of an earlier probe until the agent has a newer one.
        """
        known: dict[str, Sequence[AnyObservation]] = {}
        live = self._source.live_state.view.clusters.get(request.cluster.name, {})
        checks = {each.name for each in request.cluster.round_checks}
        oldest = monotonic() - VALID_ROUNDS * request.cluster.interval_seconds
        state.refused = {key: of for key, of in state.refused.items() if began_at(of) > oldest}
        for server in request.cluster.servers:
            of_agent = latest_session(live.get(server.id), checks, self._source.now())
            seen = max(of_agent, state.refused.get(server.id, ()), key=began_at)
            if server.id not in request.servers or is_refused(seen):
                known[server.id] = seen
        return known

    def _probed(self, request: ProbeRequest, known: Known) -> ProbeResult:
        """Run one round, in a thread."""
        began = monotonic()
        seen = [each for server in request.servers for each in known.get(server, ())]
        begun: set[str] = set()

        def probe(
            server: Server, checks: Sequence[ConfiguredCheck], deadline: Deadline
        ) -> list[AnyObservation]:
            left = deadline.at - deadline.now()
            if server.id not in begun and left < LEAST_PART * deadline.seconds:
                return []  # too many servers hang
            begun.add(server.id)
            found = self._probe(server, checks, deadline)
            seen.extend(found)
            return found

        cluster = request.cluster.within(request.seconds)
        ids = {server.id for server in cluster.servers}
        overrides = {key: each for key, each in self._source.overrides().items() if key in ids}
        verdicts = evaluate_cluster(
            cluster, Memory(overrides=overrides), self._threads, probe=probe, known=known
        )
        return ProbeResult(
            snapshot=Snapshot(epoch_seconds(), verdicts),
            seen=tuple(seen),
            duration_seconds=monotonic() - began,
        )


def with_time(request: ProbeRequest, left_seconds: float) -> ProbeRequest:
    """Return the request with the time that is left for its round. BusyError: too little."""
    if left_seconds < LEAST_PART * request.seconds:
        raise BusyError
    if left_seconds > request.seconds - SLACK_SECONDS:
        return request
    return replace(request, seconds=left_seconds)


def with_waiting(request: ProbeRequest, waiting: Iterable[ProbeRequest]) -> ProbeRequest:
    """Return the request with the servers of those that wait and that the same round can answer."""
    servers = request.servers.union(
        *(
            each.servers
            for each in waiting
            if each.cluster.checks == request.cluster.checks and each.seconds <= request.seconds
        )
    )
    return replace(request, servers=servers)


def latest_session(
    live: LiveServer | None, checks: Container[str], now: BootSeconds
) -> Sequence[AnyObservation]:
    """Return the observations of these checks in the newest session, in order; none if stale."""
    first = live.seen.get(FIRST_CHECK) if live and not live.is_stale(now) else None
    if live is None or first is None:
        return ()
    newest = [
        each
        for check, each in live.seen.items()
        if check in checks and each.started_at >= first.started_at
    ]
    return sorted(newest, key=lambda each: each.started_at)


def began_at(seen: Sequence[AnyObservation]) -> MonotonicSeconds:
    """Return when a session began; minus infinity if nothing was observed."""
    return seen[0].started_at if seen else -inf


def is_refused(seen: Iterable[AnyObservation]) -> bool:
    """Return whether the server refused the bind."""
    return any(each.failure is not None and each.failure.kind is FailureKind.BIND for each in seen)
