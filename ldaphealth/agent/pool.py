"""The state of one cluster in the agent: recent observations, findings and verdicts.

agent.py adds rounds and reads the verdicts. No threads, no clock and no I/O here.
"""

from __future__ import annotations

import logging
from collections import ChainMap
from collections.abc import Collection, Container, Sequence
from typing import Any

from msgspec.structs import replace

from ldaphealth.agent.pool_events import (
    BaselinesAccepted,
    Began,
    Decided,
    Ended,
    Follower,
    OverrideChanged,
    PoolEvent,
    PoolState,
    Reconfigured,
    RoundAdded,
    SurveyAdded,
)
from ldaphealth.agent.turns import Turns, only_repeats
from ldaphealth.check import NewBaseline, ObservationsByServer
from ldaphealth.clocks import BootSeconds
from ldaphealth.guard import (
    FoundOnServer,
    Memory,
    Override,
    RoundPeriod,
    Situation,
    decide_on,
    effects_by_server,
    found_on_server,
    is_in_doubt,
    restless,
    rule_named,
    servers_to_decide,
)
from ldaphealth.guard.verdicts import Verdicts
from ldaphealth.judging.judge import judge_server, new_baseline
from ldaphealth.judging.recent_observations import RecentObservations
from ldaphealth.judging.retention import retentions
from ldaphealth.judging.summaries import summaries
from ldaphealth.model import (
    AnyObservation,
    Basis,
    FailureKind,
    Finding,
    Server,
    State,
    Verdict,
)
from ldaphealth.publishers.publication import BaselineChange, VerdictChange, differs
from ldaphealth.rounds.round import FailedCheck, failed_checks
from ldaphealth.settings import Cluster, ConfiguredCheck

log = logging.getLogger(__name__)

MOST_WITNESSES = 4  # of a large cluster


class Pool:
    """The state of one cluster between two ticks."""

    def __init__(self, cluster: Cluster, memory: Memory) -> None:
        self._configure(cluster)
        self.memory = memory
        self.recent = RecentObservations(retentions(cluster.checks))
        self.verdicts = Verdicts()  # immutable; each decision replaces it
        self.latest: dict[str, tuple[AnyObservation, ...]] = {}
        self.hung: set[str] = set()
        self.surveyed: dict[str, dict[str, AnyObservation]] = {}  # by server and check, the newest
        self._surveyed: list[AnyObservation] = []  # since the last decision
        self._returned: set[str] = set()  # since the last call of take_returned
        self._baselines: list[BaselineChange] = []  # since the last call of take_baselines
        self._found: dict[str, FoundOnServer] = {}
        self._changed: set[str] = set()  # servers with a round or other findings since the decision
        self._rounds: dict[str, RoundPeriod] = {}
        self._turns = Turns()
        self._taken_back: dict[str, str] = {}  # who removed an override since the last decision
        self._followers: tuple[Follower, ...] = ()

    def _configure(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._servers = {each.id: each for each in cluster.servers}
        self._effects = effects_by_server(cluster)
        self._nothing_found = {
            server: found_on_server((), effects) for server, effects in self._effects.items()
        }
        self._restless: set[str] = {*self._servers}  # servers that are not quiet (guard/quiet.py)

    @classmethod
    def of_state(cls, state: PoolState) -> Pool:
        """Return a pool that goes on from a state."""
        pool = cls(state.cluster, state.memory)
        pool.recent.restore(state.recent)
        pool.verdicts = Verdicts(dict(state.verdicts))
        pool.latest = dict(state.latest)
        pool.hung = {server for server, seen in state.latest.items() if _has_hung(seen)}
        pool.surveyed = {server: dict(of) for server, of in state.surveyed.items()}
        for server, found in state.findings.items():
            pool._note_findings(server, found)
        pool._rounds = dict(state.rounds)
        pool._taken_back = dict(state.taken_back)
        return pool

    def state(self) -> PoolState:
        """Return what `of_state` needs to go on from here."""
        return PoolState(
            cluster=self.cluster,
            memory=self.memory,
            recent=self.recent.state(),
            verdicts=dict(self.verdicts),
            latest=dict(self.latest),
            surveyed={server: dict(of) for server, of in self.surveyed.items()},
            findings={server: each.findings for server, each in self._found.items()},
            rounds=dict(self._rounds),
            taken_back=dict(self._taken_back),
        )

    def follow(self, follower: Follower) -> None:
        """Notify a follower of the state now, and of each event from now on."""
        self._followers += (follower,)
        _notify(follower, self, Began(self.state()))

    def end(self) -> None:
        """Notify the followers that the cluster was removed."""
        self._notify(Ended())

    def _notify(self, event: PoolEvent) -> None:
        for follower in self._followers:
            _notify(follower, self, event)

    def due_checks(self, server: Server) -> tuple[ConfiguredCheck, ...]:
        """Return the checks of the next round of a server, in order."""
        return self._turns.due(self.cluster, server, self.memory.servers.get(server.id))

    def known_failures(self, server: str) -> frozenset[FailedCheck]:
        """Return the checks that failed in the latest round. The same failure is not new."""
        return failed_checks(self.latest.get(server, ()))

    def add_round(self, server: str, seen: Sequence[AnyObservation], period: RoundPeriod) -> None:
        """Add the observations of a round, and judge the server."""
        configured = self._servers.get(server)
        if configured is None:  # a reload removed it meanwhile
            return
        kept = self.remember_round(server, seen, period)
        self._judge(configured)
        bad = {each.check for each in self._findings(server) if each.state is not State.OK}
        self._turns.note(
            server,
            {each.check for each in seen},
            bad,
            is_complete=self.recent.is_complete(server),
        )
        if bad:
            self._accept_baselines(configured, bad)
        self._notify(RoundAdded(server, kept, period))

    def remember_round(
        self, server: str, seen: Sequence[AnyObservation], period: RoundPeriod
    ) -> Sequence[AnyObservation]:
        """Add the observations of a round of a configured server, which is judged later.

        Return them as they are kept. Facts that are as in the round before are the same object, so
        who reads them later finds what has changed without a look at all of it.
        """
        had_failed = server in self.latest and not self.recent.is_complete(server)
        kept = tuple([self.recent.add(each) for each in seen])
        for summary in summaries(self.cluster.checks, kept):
            self.recent.add_summary(summary)
        if had_failed and self.recent.is_complete(server):
            self.recent.note_return(server, seen[0].started_at)
            self._returned.add(server)
        self.latest[server] = kept
        self.hung.discard(server)
        if _has_hung(seen):
            self.hung.add(server)
        self._rounds[server] = period
        return kept

    def judge_remembered(self) -> None:
        """Judge the servers with a round since the last decision."""
        for server in self._rounds:
            self._judge(self._servers[server])

    def uncount_repeated(self, server: str, seen: Sequence[AnyObservation]) -> None:
        """Do not count the latest round if it only repeats what was found against the server."""
        if only_repeats(self.cluster, self._findings(server), seen):
            self._rounds.pop(server, None)

    def _accept_baselines(
        self, server: Server, checks: Container[str], *, at_once: bool = False
    ) -> list[BaselineChange]:
        """Replace the baselines of these checks that are due, and judge all servers by them."""
        accepted: list[BaselineChange] = []
        for planned in self.cluster.checks:
            name = planned.name
            if name not in checks:
                continue
            found = new_baseline(self.cluster, server, self.recent, planned, at_once=at_once)
            if found is None or not self._recount(name, found):
                continue
            change = BaselineChange(
                cluster=self.cluster.name,
                check=name,
                accepted_by="operator" if at_once else "agreement",
                summary=found.summary,
                replaced=found.replaced,
            )
            accepted.append(change)
            for each in self.cluster.servers:
                if each.id in self._found:
                    self._judge_again(each, {name})
        self._baselines += accepted
        return accepted

    def _recount(self, check: str, baseline: NewBaseline[Any]) -> bool:
        """Count what is remembered by a new baseline. If that raises, the agent goes on."""
        try:
            self.recent.recount(check, baseline.counted)
        except Exception:
            log.exception("check %s cannot count by its new baseline", check)
            return False
        return True

    def accept_baselines(self) -> list[BaselineChange]:
        """Accept at once, for an operator, that the cluster went back to an older state."""
        names = {each.name for each in self.cluster.checks}
        accepted = self._accept_baselines(self.cluster.servers[0], names, at_once=True)
        self._notify(BaselinesAccepted())
        return accepted

    def take_baselines(self) -> tuple[BaselineChange, ...]:
        """Return the new baselines since the last call."""
        taken, self._baselines = tuple(self._baselines), []
        return taken

    def add_survey(self, seen: Sequence[AnyObservation]) -> None:
        """Add the observations of a survey. Judge the servers that had a round already."""
        here = [each for each in seen if each.server in self._servers]
        for observation in here:
            self.recent.add_surveyed(observation)
            self.surveyed.setdefault(observation.server, {})[observation.check] = observation
        self._surveyed += here
        checks = {each.check for each in here}
        for server in self.latest.keys() & {each.server for each in here}:
            self._judge_again(self._servers[server], checks)
        self._notify(SurveyAdded(seen))

    def take_surveyed(self) -> tuple[AnyObservation, ...]:
        """Return the observations of surveys since the last call."""
        taken, self._surveyed = tuple(self._surveyed), []
        return taken

    def take_returned(self) -> frozenset[str]:
        """Return the servers that came back since the last call: their rounds failed before."""
        taken, self._returned = frozenset(self._returned), set()
        return taken

    def _findings(self, server: str) -> Sequence[Finding]:
        found = self._found.get(server)
        return () if found is None else found.findings

    def _judge(self, server: Server) -> None:
        found = judge_server(self.cluster, server, self.recent, one_shot=False)
        self._note_findings(server.id, found)

    def _judge_again(self, server: Server, checks: Collection[str]) -> None:
        """Judge these checks only: all checks of many servers at once would delay the rounds."""
        found = judge_server(self.cluster, server, self.recent, one_shot=False, only=checks)
        rest = (each for each in self._findings(server.id) if each.check not in checks)
        self._note_findings(server.id, [*rest, *found])

    def _note_findings(self, server: str, findings: Sequence[Finding]) -> None:
        self._found[server] = found_on_server(findings, self._effects[server])
        self._changed.add(server)

    def _situation(self, now: BootSeconds) -> Situation:
        return Situation(
            cluster=self.cluster,
            servers=self._servers,
            found=ChainMap(self._found, self._nothing_found),
            memory=self.memory,
            now=now,
            rounds=self._rounds,
            known=self.verdicts.as_decided,
        )

    def decide(self, now: BootSeconds) -> tuple[list[VerdictChange], frozenset[str]]:
        """Return the changes since the last decision, and the servers with a new round."""
        fresh = frozenset(self._rounds)
        given = self._situation(now)
        if self._restless:
            servers = [*self._servers.values()]
        else:
            servers = servers_to_decide(given, self._changed)
        decision = decide_on(given, servers)
        self._restless = restless(given, servers, decision.memory)
        self.memory = decision.memory
        self._rounds = {}
        self._changed.clear()
        changes = self._replace_verdicts(decision.verdicts, now)
        self._taken_back.clear()
        self._notify(Decided(now))
        return changes, fresh

    def _replace_verdicts(
        self, decided: Sequence[Verdict], now: BootSeconds
    ) -> list[VerdictChange]:
        """Replace the verdicts by those after a decision, and return the changes."""
        before, known = self.verdicts, self.memory.servers
        new = [
            each
            for each in decided
            if each.server in known  # else never probed: nothing to publish
            and each is not before.as_decided.get(each.server)
        ]
        self.verdicts = before.after(new, known, now)
        return [
            VerdictChange(before.get(each.server), each, self._taken_back.get(each.server, ""))
            for each in new
            if each.server not in before or differs(before.as_decided[each.server], each)
        ]

    def servers_to_probe_now(self) -> list[str]:
        """Return the servers to probe at once, because a rule waits for the result.

        A rule may keep a silent server in until another one has answered, and a probe that began
        after that answer has failed as well. So the others are probed first, and then the silent
        one. Each is returned once for each round of a silent server, so a probe without a result
        starts no other. A server with a soft failure may be kept in until the others were probed
        since it began to fail. A failure that all answering servers share needs no probe.
        """
        if not self._restless:  # a rule that waits holds none
            return []
        known = self.memory.servers
        held = {
            server: known[server]
            for server, each in self.verdicts.as_decided.items()
            if (rule := rule_named(each.held_by)) is not None and rule.probes_the_others
        }
        silent = {key: past for key, past in held.items() if past.silent_since is not None}
        moments = [past.began for past in silent.values() if past.contradicted_at is None]
        moments += [
            past.bad_since
            for past in held.values()
            if past.silent_since is None and past.bad_since is not None
        ]
        latest = max(moments, default=0.0)
        witnesses = [
            server
            for server, past in known.items()
            if past.silent_since is None and past.answered and past.began < latest
        ]
        contradicted = [
            server
            for server, past in silent.items()
            if past.contradicted_at is not None and past.began < past.contradicted_at
        ]
        return witnesses + contradicted

    def in_doubt(self, fresh: Collection[str]) -> set[str]:
        """Return the servers that need another probe soon, after these have had a round.

        Those are servers whose latest rounds contradict their side, but are too few yet, or of
        which a check cannot tell yet; and others that it compares such a server with.
        """
        settle = self.cluster.settle
        wanted: set[str] = set()
        for server in fresh:
            past = self.memory.servers.get(server)
            if past is None or server in self.memory.overrides:
                continue
            bases = {each.basis for each in self._findings(server)}
            if is_in_doubt(past, settle) or any(each.is_undecided for each in bases):
                wanted.add(server)
            if Basis.COMPARISON in bases:
                wanted.update(self._witnesses(server))
        return wanted

    def _witnesses(self, server: str) -> list[str]:
        """Return the few servers that follow one in the cluster, without those that are silent."""
        ids = [*self._servers]
        place = ids.index(server)
        known = self.memory.servers
        answering = [
            each
            for each in (*ids[place + 1 :], *ids[:place])
            if each in known and known[each].silent_since is None
        ]
        return answering[:MOST_WITNESSES]

    def select_kept(self) -> dict[str, ObservationsByServer[Any]]:
        """Return the observations to keep over a restart, by check. Any thread may call it."""
        return {
            each.name: each.check.select_kept(self.recent.of_check(each.name))
            for each in self.cluster.checks
            if each.check.select_kept is not None
        }

    def override(self, server: str, override: Override | None, by: str = "") -> None:
        """Set the override on a server; None removes it, which `by` is the user of."""
        if override is None:
            self._taken_back[server] = by
        others = {key: each for key, each in self.memory.overrides.items() if key != server}
        self.memory = replace(
            self.memory, overrides=others if override is None else others | {server: override}
        )
        self._restless.add(server)
        self._notify(OverrideChanged(server, override, by))

    def is_last(self, server: str) -> bool:
        """Return whether the server is in service, and no other one of the cluster is."""
        in_service = [key for key, each in self.verdicts.as_decided.items() if each.in_service]
        return in_service == [server]

    def reconfigure(self, cluster: Cluster) -> None:
        """Replace the settings, and forget servers that were removed."""
        uris = {server.id: server.uri for server in self.cluster.servers}
        kinds = {each.name: each.check.name for each in cluster.checks}
        same = {
            each.name for each in self.cluster.checks if kinds.get(each.name) == each.check.name
        }
        self.recent.forget_checks(same)
        self._turns.forget()
        self._configure(cluster)
        self.recent.retention = retentions(cluster.checks)
        # Another URI is another server, whatever its name.
        here = {each.id for each in cluster.servers if uris.get(each.id, each.uri) == each.uri}
        self.recent.forget(here)
        kept = {key: each for key, each in self.memory.servers.items() if key in here}
        self.memory = replace(self.memory, servers=kept)
        self.verdicts = self.verdicts.of(here)
        for by_server in (self.latest, self.surveyed, self._found, self._rounds):
            for server in [each for each in by_server if each not in here]:
                del by_server[server]
        self.hung &= here
        self._returned &= here
        names = {planned.name for planned in cluster.surveys}
        self.surveyed = {
            server: {check: each for check, each in of.items() if check in names}
            for server, of in self.surveyed.items()
        }
        for each in cluster.servers:
            if each.id in self._found:
                self._judge(each)
        self._notify(Reconfigured(cluster))


def _notify(follower: Follower, pool: Pool, event: PoolEvent) -> None:
    """Call a follower. If it raises, the agent goes on."""
    try:
        follower(pool, event)
    except Exception:
        log.exception("a follower of cluster %s failed", pool.cluster.name)


def _has_hung(seen: Sequence[AnyObservation]) -> bool:
    return any(each.failure and each.failure.kind is FailureKind.TIMEOUT for each in seen)
