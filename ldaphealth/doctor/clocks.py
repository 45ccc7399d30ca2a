"""The examination of the clocks: of this host and the servers, and of the servers. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ldaphealth.doctor.by_code import count
from ldaphealth.doctor.clock import ClockReading
from ldaphealth.doctor.facts import ClusterFacts, Gathered
from ldaphealth.doctor.problem import Examined, Importance, Problem, Step
from ldaphealth.judging.quantile import median
from ldaphealth.model import State
from ldaphealth.text.duration import brief, rounded_duration

TOLERATED_SECONDS = 1.0
WHY = (
    "a clock that is wrong makes changes seem to come from the future, lets older changes of "
    "another provider win, and certificates and passwords expire at the wrong time"
)
REMEDY = "correct the clock, and keep it by NTP: `chronyc tracking` shows whether it is"
STEPS = ("chronyc tracking", "chronyc makestep")


def examine_clocks(facts: Gathered) -> Examined:
    """Compare the clocks of all servers with that of this host, and with one another."""
    problems: list[Problem] = []
    read = total = 0
    widest = 0.0
    for cluster in facts.clusters:
        known = readings(cluster)
        read, total = read + len(known), total + len(cluster.cluster.data_servers)
        widest = max([widest, *(each.uncertainty_seconds for each in known.values())])
        problems += _problems(cluster, known)
    certainty = f", to within {brief(widest)}" if read else ": no right to read cn=Time,cn=Monitor"
    return Examined(tuple(problems), count(read, total) + certainty)


def readings(cluster: ClusterFacts) -> Mapping[str, ClockReading]:
    """Return the narrowest reading of each server that holds data, by its ID."""
    found = {}
    for server in cluster.cluster.data_servers:
        read = cluster.reads.get(server.id)
        both = [cluster.clocks.get(server.id), read.clock if read else None]
        known = [each for each in both if each is not None]
        if known:
            found[server.id] = min(known, key=lambda each: each.uncertainty_seconds)
    return found


def _problems(cluster: ClusterFacts, known: Mapping[str, ClockReading]) -> Iterator[Problem]:
    """Yield the problem of this host if most servers are apart from it, else of each server."""
    apart = [each for each, it in known.items() if it.apart_seconds() > TOLERATED_SECONDS]
    host_is_wrong = len(apart) > 1 and 2 * len(apart) > len(known)
    usual: ClockReading | None = None
    if host_is_wrong:
        middle = median([known[each].middle_seconds for each in apart])
        usual = min(known.values(), key=lambda each: abs(each.middle_seconds - middle))
        agree = [each for each in apart if not known[each].apart_seconds(usual)]
        if 2 * len(agree) > len(known):
            yield _of_host(cluster, usual, agree)
        else:
            usual = None
    for server in known:
        seconds = known[server].apart_seconds(usual)
        if seconds > TOLERATED_SECONDS:
            yield _of_server(cluster, server, known[server], usual)


def _of_host(cluster: ClusterFacts, usual: ClockReading, agree: list[str]) -> Problem:
    side = "behind" if usual.middle_seconds > 0 else "ahead of"
    size = rounded_duration(abs(usual.middle_seconds))
    return Problem(
        importance=_importance(cluster, usual.apart_seconds()),
        code="clocks.this_host",
        where=tuple(agree),
        what=f"the clock of this host is {size} {side} those of "
        f"{count(len(agree), len(cluster.cluster.data_servers))} ({_certainty(usual)})",
        why=WHY,
        remedy=REMEDY,
        steps=tuple(Step("command", each) for each in STEPS),
    )


def _of_server(
    cluster: ClusterFacts, server: str, reading: ClockReading, usual: ClockReading | None
) -> Problem:
    difference = reading.middle_seconds - (usual.middle_seconds if usual else 0.0)
    side = "ahead of" if difference > 0 else "behind"
    other = "those of the other servers" if usual else "that of this host"
    name = server.partition("/")[2]
    return Problem(
        importance=_importance(cluster, reading.apart_seconds(usual)),
        code="clocks.server",
        where=(server,),
        what=f"the clock of {name} is {rounded_duration(abs(difference))} {side} {other} "
        f"({_certainty(reading)})",
        why=WHY,
        remedy=REMEDY,
        steps=tuple(Step("command", each, (name,)) for each in STEPS),
    )


def _certainty(reading: ClockReading) -> str:
    return f"give or take {brief(reading.uncertainty_seconds)}, by {reading.basis}"


def _importance(cluster: ClusterFacts, seconds: float) -> Importance:
    """Return that of so many seconds: the check `replication` alerts on more than its limit."""
    limits = [
        each.params.future_seconds
        for each in cluster.cluster.checks
        if each.check.name == "replication"
    ]
    breaks = any(each.state(seconds) is not State.OK for each in limits)
    return Importance.BREAKS if breaks else Importance.MEND
