"""The examination of thresholds and deadlines that the measured times would break. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from msgspec import Struct

from ldaphealth.doctor.by_code import count, problems_of
from ldaphealth.doctor.facts import ClusterFacts, Gathered
from ldaphealth.doctor.problem import Examined, Importance, Problem, Step
from ldaphealth.doctor.steps import LONGEST_DEADLINE_SECONDS
from ldaphealth.judging.suggested_limits import suggested_deadline, suggested_limits
from ldaphealth.model import CheckEffect, Finding, State
from ldaphealth.reason_codes import ROWS
from ldaphealth.settings import ConfiguredCheck
from ldaphealth.text.duration import exact_duration, rounded_duration
from ldaphealth.text.number import rounded_up
from ldaphealth.text.quantity import quantity

SLOW = "slow"
OF_TIME = (SLOW, "slower_than_pool", "slower_than_learnt", "slower")
DEADLINE_SHARE = 0.5  # of the deadline: longer rounds leave too little for a busy moment
DEADLINE_FACTOR = 4  # of a whole round
DEADLINE_WHY = (
    "a server that needs more than the deadline counts as too slow, or as gone if it answered "
    "nothing; these rounds leave little for a busy moment"
)


class SlowRounds(Struct, frozen=True, kw_only=True):
    """The rounds in which a check of a server was too slow, and the seconds that each took."""

    server: str
    check: str
    findings: tuple[Finding, ...]
    seconds: tuple[float, ...]
    rounds: int


def examine_thresholds(facts: Gathered) -> Examined:
    """Return the thresholds that half of the rounds or more exceed, and deadlines that are near."""
    problems: list[Problem] = []
    for cluster in facts.clusters:
        problems += (_problem(cluster, each) for each in slow_rounds(cluster))
        over = [
            each
            for each in (*_of_latency(cluster), *cluster.findings)
            if each.code in OF_TIME and each.state is not State.OK and not _is_measured(each)
        ]
        problems += problems_of(facts, cluster, over)
        problems += _deadlines(cluster)
    total = sum(len(each.cluster.servers) for each in facts.clusters)
    reached = sum(len(each.reached) for each in facts.clusters)
    rounds = sum(len(each.rounds) for each in facts.clusters)
    return Examined(tuple(problems), f"{count(reached, total)}, {quantity(rounds, 'round')}")


def _of_latency(cluster: ClusterFacts) -> Iterator[Finding]:
    """Yield what the thresholds say; these rounds are too few to compare servers."""
    return (each for each in cluster.latency if each.code == SLOW)


def _is_measured(finding: Finding) -> bool:
    """Return whether the rounds themselves show it, so that it is not reported twice."""
    return finding.code == SLOW and any(
        each.name == f"{finding.check}_seconds" for each in finding.metrics
    )


def slow_rounds(cluster: ClusterFacts) -> Iterator[SlowRounds]:
    """Yield the checks of servers that were too slow in half of their rounds or more."""
    slow: dict[tuple[str, str], list[Finding]] = defaultdict(list)
    seconds: dict[tuple[str, str], list[float]] = defaultdict(list)
    for each in cluster.rounds:
        for seen in each.observations:
            if seen.failure is None:
                seconds[each.server, seen.check].append(sum(seen.timings.values()))
        for finding in each.findings:
            if finding.state is not State.OK and _is_measured(finding):
                slow[each.server, finding.check].append(finding)
    for (server, check), findings in slow.items():
        took = seconds[server, check]
        if 2 * len(findings) >= len(took):
            yield SlowRounds(
                server=server,
                check=check,
                findings=tuple(findings),
                seconds=tuple(took),
                rounds=len(took),
            )


def _problem(cluster: ClusterFacts, slow: SlowRounds) -> Problem:
    least, most = min(slow.seconds), max(slow.seconds)
    planned = next(each for each in cluster.cluster.checks if each.name == slow.check)
    is_critical = any(each.state is State.CRITICAL for each in slow.findings)
    removes = is_critical and planned.effect is CheckEffect.OUT
    metric = slow.findings[-1].metrics[-1]
    return Problem(
        importance=Importance.BREAKS if removes else Importance.MEND,
        code=f"{slow.check}.{SLOW}",
        where=(slow.server,),
        what=f"{slow.check} took {rounded_duration(least)} to {rounded_duration(most)}; "
        f"{len(slow.findings)} of {quantity(slow.rounds, 'round')} exceed its thresholds "
        f"(warning {_limit(metric.warning)}, critical {_limit(metric.critical)})",
        why=ROWS[SLOW].means,
        remedy=ROWS[SLOW].remedy,
        steps=tuple(_settings(planned, most, cluster.cluster.deadline_seconds)),
    )


def _limit(limits: str) -> str:
    """Return a threshold of a time: a range of the guidelines for plugins, in seconds."""
    return f"{limits} s" if limits else "none"


def _settings(
    configured: ConfiguredCheck, usual_seconds: float, deadline_seconds: float
) -> Iterator[Step]:
    """Yield thresholds for a time that is usual, and a deadline that leaves room for them."""
    limits = suggested_limits(usual_seconds, configured.check.params().seconds)
    shown = ", ".join(f'{name}: "{seconds:g}"' for name, seconds in limits.items())
    yield Step("setting", f"checks: {{{configured.name}: {{seconds: {{{shown}}}}}}}")
    longer = suggested_deadline(limits["critical"], deadline_seconds)
    if longer is not None:
        yield Step("setting", f"deadline_seconds: {longer:g}")


def _deadlines(cluster: ClusterFacts) -> Iterator[Problem]:
    """Yield a problem if complete rounds take more than half of the deadline."""
    deadline = cluster.cluster.deadline_seconds
    longest = _longest_rounds(cluster)
    near = {server: took for server, took in longest.items() if took > DEADLINE_SHARE * deadline}
    if not near:
        return
    took = max(near.values())
    better = min(LONGEST_DEADLINE_SECONDS, max(rounded_up(DEADLINE_FACTOR * took), deadline))
    yield Problem(
        importance=Importance.MEND,
        code="thresholds.deadline",
        where=tuple(near),
        what=f"a round takes up to {rounded_duration(took)} of the deadline of "
        f"{exact_duration(deadline)}",
        why=DEADLINE_WHY,
        remedy="find out why the server is slow, or raise `deadline_seconds` and, if the round "
        "takes longer than it, `interval_seconds`",
        steps=(Step("setting", f"deadline_seconds: {better:g}"),),
    )


def _longest_rounds(cluster: ClusterFacts) -> Mapping[str, float]:
    reached = {each.id for each in cluster.reached}
    longest: dict[str, float] = {}
    for each in cluster.rounds:
        if each.server in reached and each.observations[-1].failure is None:
            took = sum(seen.duration_seconds for seen in each.observations)
            longest[each.server] = max(took, longest.get(each.server, 0.0))
    return longest
