"""Try one cluster: a one-shot check, a handful of rounds more, and its surveys once.

The rounds more are only for servers whose first session was in order: they show the usual times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import Any

from msgspec.structs import replace

from ldaphealth.agent.mailbox import Mailbox
from ldaphealth.agent.survey_runner import SurveyEnded, SurveyRunner
from ldaphealth.clocks import boot_seconds, epoch_seconds
from ldaphealth.doctor import clock
from ldaphealth.doctor.facts import ClusterFacts, Round
from ldaphealth.doctor.server_reads import read_what_checks_do_not
from ldaphealth.judging.judge import judge, judge_server
from ldaphealth.judging.recent_observations import RecentObservations
from ldaphealth.ldap.accounts import Accounts
from ldaphealth.ldap.deadline import Deadline
from ldaphealth.ldap.session import open_session
from ldaphealth.model import AnyObservation, Finding, Server
from ldaphealth.rounds.probe import probe_server
from ldaphealth.settings import Cluster, ConfiguredCheck
from ldaphealth.tasks.one_shot import evaluate

ROUNDS = 5
SURVEY_SECONDS = 20.0  # a survey that takes longer is not waited for
MAX_THREADS = 64
GRACE_LOGINS = "grace_logins"  # each bind uses one
AGENT_SURVEYS = "the running agent surveys it, and both would write to one canary"

Note = Callable[[str], None]  # gets the ID of a server that has answered


def try_cluster(cluster: Cluster, note: Note, *, agent_runs: bool) -> ClusterFacts:
    """Return what was observed of a cluster. It takes its deadline a few times at most.

    `agent_runs`: an agent uses the same canaries, so tokens of `propagation` are left to it.
    """
    accounts, recorded = Accounts(), list[tuple[str, tuple[AnyObservation, ...]]]()

    def probe(
        server: Server, checks: Sequence[ConfiguredCheck], deadline: Deadline
    ) -> list[AnyObservation]:
        observations = probe_server(server, tuple(checks), deadline, accounts)
        recorded.append((server.id, tuple(observations)))
        note(server.id)
        return observations

    verdicts = evaluate([cluster], probe=probe).verdicts
    findings = tuple(each for verdict in verdicts for each in verdict.findings)
    facts = ClusterFacts(
        cluster=cluster, findings=findings, rounds=tuple(_judged(cluster, recorded))
    )
    again = _to_repeat(facts)
    with ThreadPoolExecutor(max(1, min(MAX_THREADS, len(again))), "probe") as pool:
        for _ in range(ROUNDS - 1):
            list(pool.map(lambda each: probe(each, *_round_of(cluster, each)), again))
        reads = list(pool.map(lambda each: read_what_checks_do_not(cluster, each, accounts), again))
    surveyed, not_surveyed = _survey(cluster, accounts, agent_runs=agent_runs)
    return replace(
        facts,
        findings=(*findings, *surveyed),
        rounds=tuple(_judged(cluster, recorded)),
        latency=_latency(cluster, recorded),
        reads={each.id: read for each, read in zip(again, reads, strict=True)},
        clocks=_clocks_by_writes(cluster, recorded),
        not_surveyed=not_surveyed,
    )


def _round_of(cluster: Cluster, server: Server) -> tuple[Sequence[ConfiguredCheck], Deadline]:
    return cluster.round_checks_of(server), Deadline.after(cluster.deadline_seconds)


def _to_repeat(facts: ClusterFacts) -> list[Server]:
    return [
        each
        for each in facts.reached
        if not any(found.code == GRACE_LOGINS for found in facts.findings_on(each))
    ]


def _judged(
    cluster: Cluster, recorded: Iterable[tuple[str, tuple[AnyObservation, ...]]]
) -> Iterator[Round]:
    """Yield each session with the findings on its observations alone."""
    servers = {each.id: each for each in cluster.servers}
    for server, observations in recorded:
        recent = RecentObservations()
        for each in observations:
            recent.add(each)
        findings = judge_server(cluster, servers[server], recent, one_shot=True)
        yield Round(server, observations, tuple(findings))


def _latency(
    cluster: Cluster, recorded: Iterable[tuple[str, tuple[AnyObservation, ...]]]
) -> tuple[Finding, ...]:
    """Return the findings of checks of the kind `latency` on the median of these few rounds."""
    checks = tuple(
        replace(
            each,
            params=_on_few_rounds(each.params),
            own_params={key: _on_few_rounds(own) for key, own in each.own_params.items()},
        )
        for each in cluster.checks
        if each.check.name == "latency"
    )
    recent = RecentObservations()
    for _, observations in recorded:
        for observation in observations:
            recent.add(observation)
    return tuple(judge(replace(cluster, checks=checks), recent, one_shot=False))


def _on_few_rounds(params: Any) -> Any:
    return replace(params, min_operations=ROUNDS, quantile=0.5)


def _clocks_by_writes(
    cluster: Cluster, recorded: Sequence[tuple[str, tuple[AnyObservation, ...]]]
) -> Mapping[str, clock.ClockReading]:
    names = {each.name for each in cluster.checks if each.check.name == "write"}
    difference = epoch_seconds() - monotonic()
    found = {}
    for server in cluster.servers:
        writes = [
            each
            for of, observations in recorded
            for each in observations
            if of == server.id and each.check in names
        ]
        if reading := clock.of_writes(writes, difference):
            found[server.id] = reading
    return found


def _survey(
    cluster: Cluster, accounts: Accounts, *, agent_runs: bool
) -> tuple[list[Finding], dict[str, str]]:
    """Run each survey once; return the findings, and why surveys were not run, by name."""
    ended: Mailbox[SurveyEnded] = Mailbox()
    runners, left_out = {}, {}
    for planned in cluster.surveys:
        if agent_runs and planned.check.name == "propagation":
            left_out[planned.name] = AGENT_SURVEYS
            continue
        runner = SurveyRunner(
            ended.put,
            lambda: 0.0,
            opening=lambda server, deadline, budget: open_session(
                server, deadline, budget, accounts
            ),
        )
        now = boot_seconds()
        runner.plan([replace(cluster, checks=(planned,))], now)
        runner.start_due(now)
        runners[planned.name] = runner
    recent, until = RecentObservations(), monotonic() + SURVEY_SECONDS
    waiting = set(runners)
    while waiting and (left := until - monotonic()) > 0:
        for message in ended.take(left, 0.0):
            waiting.discard(message.run.planned.name)
            for observation in message.seen:
                recent.add_surveyed(observation)
    for runner in runners.values():
        runner.close()
    late = f"it did not end within {SURVEY_SECONDS:.0f} s"
    left_out |= dict.fromkeys(waiting, late)
    return judge(replace(cluster, checks=cluster.surveys), recent, one_shot=False), left_out
