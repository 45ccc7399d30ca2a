"""One cluster as the agent sees it: what was seen lately, what it means, and what was decided.

agent.py lands rounds here and takes the verdicts; no threads, no clock and no I/O of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from functools import partial
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from ldaphealth.check import ObservationsByServer
from ldaphealth.clocks import BootSeconds
from ldaphealth.guard import Memory, Override, RoundPeriod, decide, rule_named
from ldaphealth.judging.judge import judge_server
from ldaphealth.judging.recent_observations import Covers, RecentObservations
from ldaphealth.model import AnyObservation, FailureKind, Finding, Server, Verdict
from ldaphealth.publishers.publication import VerdictChange, differs
from ldaphealth.rounds.round import FailedCheck, failed_checks
from ldaphealth.settings import Cluster

log = logging.getLogger(__name__)


class Pool:
    """The state of one cluster between two ticks."""

    def __init__(self, cluster: Cluster, memory: Memory) -> None:
        self.cluster = cluster
        self.memory = memory
        self.recent = RecentObservations(covers=_covers(cluster))
        self.verdicts: dict[str, Verdict] = {}
        self.latest: dict[str, tuple[AnyObservation, ...]] = {}
        self.hung: set[str] = set()
        self.surveyed: dict[str, dict[str, AnyObservation]] = {}  # by server and check, the newest
        self._surveyed: list[AnyObservation] = []  # since the last decision
        self._findings: dict[str, list[Finding]] = {}
        self._rounds: dict[str, RoundPeriod] = {}

    def known_troubles(self, server: str) -> frozenset[FailedCheck]:
        """Return what failed in the latest round: the same again is no news."""
        return failed_checks(self.latest.get(server, ()))

    def land(self, server: str, seen: Sequence[AnyObservation], took: RoundPeriod) -> None:
        """Take what a round saw, and judge it."""
        configured = {each.id: each for each in self.cluster.servers}
        if server not in configured:  # a reload removed it meanwhile
            return
        for observation in seen:
            self.recent.add(observation)
        self.latest[server] = tuple(seen)
        self.hung.discard(server)
        if any(each.failure and each.failure.kind is FailureKind.TIMEOUT for each in seen):
            self.hung.add(server)
        self._rounds[server] = took
        self._judge(configured[server])

    def land_survey(self, seen: Sequence[AnyObservation]) -> None:
        """Take what a survey saw, and judge it where a round was: no survey is a first look."""
        configured = {each.id: each for each in self.cluster.servers}
        here = [each for each in seen if each.server in configured]
        for observation in here:
            self.recent.add_surveyed(observation)
            self.surveyed.setdefault(observation.server, {})[observation.check] = observation
        self._surveyed += here
        checks = {each.check for each in here}
        for server in self.latest.keys() & {each.server for each in here}:
            self._judge_again(configured[server], checks)

    def take_surveyed(self) -> tuple[AnyObservation, ...]:
        """Return what surveys saw since this was last asked."""
        taken, self._surveyed = tuple(self._surveyed), []
        return taken

    def _judge(self, server: Server) -> None:
        found = judge_server(self.cluster, server, self.recent, one_shot=False)
        self._findings[server.id] = found

    def _judge_again(self, server: Server, checks: Collection[str]) -> None:
        """Judge some checks alone: all of many servers at once would hold up the rounds."""
        found = judge_server(self.cluster, server, self.recent, one_shot=False, only=checks)
        rest = (each for each in self._findings[server.id] if each.check not in checks)
        self._findings[server.id] = [*rest, *found]

    def decide(self, now: BootSeconds) -> tuple[list[VerdictChange], frozenset[str]]:
        """Return the changes since the last decision, and the servers with a new round."""
        fresh = frozenset(self._rounds)
        findings = (finding for found in self._findings.values() for finding in found)
        decision = decide(self.cluster, findings, self.memory, now, self._rounds)
        self.memory = decision.memory
        self._rounds = {}
        changes: list[VerdictChange] = []
        for verdict in decision.verdicts:
            if verdict.server not in self.memory.servers:
                continue  # never looked at: nothing to tell
            before = self.verdicts.get(verdict.server)
            if before is None or differs(before, verdict):
                changes.append(VerdictChange(before, verdict))
            self.verdicts[verdict.server] = verdict
        return changes, fresh

    def unwitnessed(self) -> list[str]:
        """Return the servers to look at at once: a silence is held until another one answers.

        Each once for every silent round: a look that learns nothing must not ask for the next.
        What all answering servers share is held by the same rule, and asks for nobody.
        """
        known = self.memory.servers
        silent = [
            known[each.server]
            for each in self.verdicts.values()
            if (rule := rule_named(each.held_by)) is not None
            and rule.probes_the_others
            and known[each.server].silent_since is not None
        ]
        latest = max((past.began for past in silent), default=0.0)
        return [
            server
            for server, past in known.items()
            if past.silent_since is None and past.answered and past.began < latest
        ]

    def select_kept(self) -> dict[str, ObservationsByServer[Any]]:
        """Return by check what a restart must not forget; any thread may ask."""
        return {
            each.check.name: each.check.select_kept(self.recent.of_check(each.check.name))
            for each in self.cluster.checks
            if each.check.select_kept is not None
        }

    def override(self, server: str, word: Override | None) -> None:
        """Take an operator's word, or take it back."""
        rest = {key: each for key, each in self.memory.overrides.items() if key != server}
        self.memory = replace(
            self.memory, overrides=rest if word is None else rest | {server: word}
        )

    def reconfigure(self, cluster: Cluster) -> None:
        """Go on with other settings, and forget servers that are gone."""
        where = {server.id: server.uri for server in self.cluster.servers}
        self.cluster = cluster
        self.recent.covers = _covers(cluster)
        # Another URI is another server, whatever its name.
        here = {each.id for each in cluster.servers if where.get(each.id, each.uri) == each.uri}
        self.recent.forget(here)
        kept = {key: each for key, each in self.memory.servers.items() if key in here}
        self.memory = replace(self.memory, servers=kept)
        for by_server in (self.verdicts, self.latest, self.surveyed, self._findings, self._rounds):
            for server in [each for each in by_server if each not in here]:
                del by_server[server]
        self.hung &= here
        names = {planned.check.name for planned in cluster.surveys}
        self.surveyed = {
            server: {check: each for check, each in of.items() if check in names}
            for server, of in self.surveyed.items()
        }
        for each in cluster.servers:
            if each.id in self._findings:
                self._judge(each)


def _covers(cluster: Cluster) -> dict[str, Covers]:
    return {
        each.check.name: partial(_covered, each.check.name, each.check.covers)
        for each in cluster.checks
        if each.check.covers is not None
    }


def _covered(check: str, covers: Covers, earlier: Struct, later: Struct) -> bool:
    """Ask a check, whose mistake must not end the agent; then both reads are kept."""
    try:
        return covers(earlier, later)
    except Exception:
        log.exception("check %s cannot compare two reads", check)
        return False
