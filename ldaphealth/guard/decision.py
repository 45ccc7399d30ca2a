"""Decide on the servers of a cluster: read the findings, apply the rules, make the verdicts.

Pure: the same findings, memory and time give the same verdicts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from ldaphealth.clocks import BootSeconds
from ldaphealth.guard.memory import Memory, RoundPeriod, ServerMemory
from ldaphealth.guard.reading import FoundOnServer, Reading, found_on_server
from ldaphealth.guard.rules import RULES, RuleContext, accepted_share
from ldaphealth.model import CheckEffect, Finding, Role, Server, Verdict
from ldaphealth.remedies import remedies_of
from ldaphealth.settings import Cluster, ConfiguredCheck

LEAST_RAMP = 0.1  # a server that returned to service begins with this share of its weight
MOST_FELL = 8  # more than the doublings of `min_out_seconds` need

EMPTY = Memory()
NO_ROUNDS: Mapping[str, RoundPeriod] = {}


class Situation(Struct, frozen=True, kw_only=True):
    """All that a decision on a cluster depends on; the mappings are by server ID.

    `rounds` are those not counted yet. `known` are the verdicts before: one that differs in
    `lasted_seconds` only is returned as it was.
    """

    cluster: Cluster
    servers: Mapping[str, Server]
    found: Mapping[str, FoundOnServer]
    memory: Memory
    now: BootSeconds
    rounds: Mapping[str, RoundPeriod]
    known: Mapping[str, Verdict] = {}


class Decision(Struct, frozen=True):
    """One verdict for each server, in the order of the cluster, and the memory for the next one."""

    verdicts: tuple[Verdict, ...]
    memory: Memory


def decide(
    cluster: Cluster,
    findings: Iterable[Finding],
    memory: Memory = EMPTY,
    now: BootSeconds = 0.0,
    rounds: Mapping[str, RoundPeriod] = NO_ROUNDS,
) -> Decision:
    """Return the verdicts on a cluster. `rounds` are those not counted yet, by server ID.

    UNKNOWN alone never changes a verdict, because nothing is known against the server.
    """
    by_server: dict[str, list[Finding]] = {server.id: [] for server in cluster.servers}
    for finding in findings:
        by_server[finding.server].append(finding)
    effects = effects_by_server(cluster)
    found = {key: found_on_server(each, effects[key]) for key, each in by_server.items()}
    servers = {each.id: each for each in cluster.servers}
    given = Situation(
        cluster=cluster, servers=servers, found=found, memory=memory, now=now, rounds=rounds
    )
    return decide_on(given, cluster.servers)


def decide_on(given: Situation, servers: Sequence[Server]) -> Decision:
    """Return the verdicts on these servers, and the memory of the whole cluster.

    They are all of the cluster, unless the others are quiet (quiet.py).
    """
    given = replace(given, memory=_without_expired(given.memory, given.now))
    cluster, memory, now = given.cluster, given.memory, given.now
    readings = _with_contradictions([_reading(given, each) for each in servers])
    for rule in RULES:
        readings = rule.apply(RuleContext(cluster, memory, now, rule.name), readings)
    after = {
        reading.server.id: _updated_memory(reading, cluster, now)
        for reading in readings
        if reading.before is not None or reading.findings
    }
    ramp_seconds = _ramp_seconds(after, cluster, now)
    verdicts = tuple(
        _verdict(given, each, after.get(each.server.id), ramp_seconds) for each in readings
    )
    if len(servers) < len(cluster.servers):
        after = {**memory.servers, **after}
    return Decision(verdicts, replace(memory, servers=after))


def _reading(given: Situation, server: Server) -> Reading:
    """Return the plain reading of a server, before any rule."""
    key = server.id
    before, landed = given.memory.servers.get(key), given.rounds.get(key)
    return Reading(server=server, found=given.found[key], before=before, round=landed)


def effects_by_server(cluster: Cluster) -> dict[str, Mapping[str, CheckEffect]]:
    """Return the effects of the checks that are run on each server, by server ID and check."""
    every = {each.name: each.effect for each in cluster.checks}
    has_balancer = any(each.role is Role.BALANCER for each in cluster.servers)
    limited = [
        each
        for each in cluster.checks
        if each.servers or (has_balancer and each.check.of_one_server)
    ]
    return {server.id: _without(every, limited, server) for server in cluster.servers}


def _without(
    effects: Mapping[str, CheckEffect], limited: Sequence[ConfiguredCheck], server: Server
) -> Mapping[str, CheckEffect]:
    """Return the effects without those of the checks that are run on other servers only."""
    left_out = [each.name for each in limited if not each.runs_on(server)]
    if not left_out:
        return effects
    return {name: effect for name, effect in effects.items() if name not in left_out}


def _with_contradictions(readings: Sequence[Reading]) -> Sequence[Reading]:
    """Return the readings; a silent server remembers when another one was first known to answer."""
    if not any(map(_may_be_silent, readings)):
        return readings
    pasts = {each.server.id: past for each in readings if (past := each.past) is not None}
    return [_with_contradiction(each, pasts) for each in readings]


def _may_be_silent(reading: Reading) -> bool:
    return reading.is_hard or (
        reading.before is not None and reading.before.silent_since is not None
    )


def _with_contradiction(reading: Reading, pasts: Mapping[str, ServerMemory]) -> Reading:
    past, before = pasts.get(reading.server.id), reading.before
    if past is None or before is None:
        return reading
    if past.silent_since is None or past.contradicted_at is not None:
        return reading
    since = past.silent_since
    others = (each for server, each in pasts.items() if server != reading.server.id)
    later = (at for each in others for at in each.answers if at >= since)
    return replace(reading, before=replace(before, contradicted_at=min(later, default=None)))


def _without_expired(memory: Memory, now: BootSeconds) -> Memory:
    left = {server: each for server, each in memory.overrides.items() if each.until > now}
    return memory if len(left) == len(memory.overrides) else replace(memory, overrides=left)


def _updated_memory(reading: Reading, cluster: Cluster, now: BootSeconds) -> ServerMemory:
    """Return the memory of a server for the next decision."""
    past = reading.past
    if past is None:
        first = ServerMemory(
            in_service=reading.in_service,
            since=now,
            fell=() if reading.in_service or reading.action else (now,),
            by_operator=reading.action is not None and not reading.in_service,
            share=_plain_share(reading),
        )
        counted = replace(reading, before=first).past
        return counted or first
    share = accepted_share(past, cluster.settle)
    if share != past.share:
        past = replace(past, share=share, leaning=0)
    if past.by_operator and past.bad:  # it failed meanwhile: it returns like any other
        past = replace(past, by_operator=False)
    if reading.in_service == past.in_service:
        return past
    window = cluster.settle.flap_window_seconds
    fell = tuple(each for each in past.fell if now - each < window)
    if not reading.in_service and reading.action is None:  # a drain is no flap
        fell = (*fell, now)[-MOST_FELL:]
    return replace(
        past,
        in_service=reading.in_service,
        since=now,
        fell=fell,
        returned=reading.in_service,
        by_operator=reading.action is not None and not reading.in_service,
    )


def _ramp_seconds(servers: Mapping[str, ServerMemory], cluster: Cluster, now: BootSeconds) -> float:
    """Return how long the slow start takes; 0 if too few servers have their full weight already.

    Else a pool that was at its floor would exchange full servers for ones with a tenth of theirs.
    """
    ramp = cluster.settle.ramp_seconds
    full = sum(
        each.in_service and not (each.returned and now - each.since < ramp)
        for each in servers.values()
    )
    return ramp if full >= cluster.min_in_service else 0.0


def _verdict(
    given: Situation, reading: Reading, past: ServerMemory | None, ramp_seconds: float
) -> Verdict:
    server, found = reading.server.id, reading.found
    in_service, override = reading.in_service, given.memory.overrides.get(server)
    weight = _weight(reading, past, ramp_seconds, given.now) if in_service else 0
    note = None if override is None else override.note
    before = given.known.get(server)
    if (
        before is not None
        and before.findings is found.findings
        and before.in_service is in_service
        and before.weight == weight
        and before.held_by == reading.held_by
        and before.override == note
    ):
        return before
    return Verdict(
        server=server,
        state=found.state,
        in_service=in_service,
        weight=weight,
        reasons=found.reasons,
        held_by=reading.held_by,
        findings=found.findings,
        draining=reading.action == "drain",
        lasted_seconds=given.now - past.since if past else 0.0,
        plain=reading.plain,
        override=note,
        remedies=remedies_of(given.cluster, reading.server, found.findings),
    )


def _weight(
    reading: Reading, past: ServerMemory | None, ramp_seconds: float, now: BootSeconds
) -> int:
    """Return the weight of a server in service, at least 1 unless it is configured as 0."""
    shares = [_plain_share(reading) if past is None else past.share]
    if past is not None and past.returned and now - past.since < ramp_seconds:
        shares.append(max(LEAST_RAMP, (now - past.since) / ramp_seconds))
    full = reading.server.weight
    return max(min(full, 1), round(full * min(shares)))


def _plain_share(reading: Reading) -> float:
    return 1.0 if reading.share is None else reading.share
