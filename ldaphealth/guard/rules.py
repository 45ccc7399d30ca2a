"""The rules that override a plain reading, one row each, in the order in which they apply.

A rule takes all readings of a cluster: one server alone does not show whether it fails or the
expectation is wrong. A reading that a rule changes names the rule. The rest of the program uses a
rule only through its row in `RULES`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from ldaphealth.clocks import BootSeconds
from ldaphealth.guard.hold_ends import (
    Ends,
    blind_ends,
    ends_by_itself,
    floor_ends,
    min_out_seconds,
    settle_ends,
)
from ldaphealth.guard.memory import Memory, ServerMemory
from ldaphealth.guard.reading import Reading, is_proven_silent
from ldaphealth.model import Finding, State, Trust
from ldaphealth.settings import Cluster, Settle, WhenAllFail
from ldaphealth.text.printable import printable

LONGEST_NAME = 64  # characters of a rule that an agent of another release has
SLOW_CODES = frozenset({"slow", "timeout"})  # of findings on servers that are too slow


class RuleContext(Struct, frozen=True):
    """The arguments of a rule besides the readings.

    `rule` is the name of the rule, for the `held_by` of the readings that it changes.
    """

    cluster: Cluster
    memory: Memory
    now: BootSeconds
    rule: str


class Rule(Struct, frozen=True, kw_only=True):
    """One rule of the guard: its name, its function, and its properties.

    `name` is the `held_by` of a verdict. `apply` returns the readings of a cluster after the rule.
    `keeps_in` and `keeps_out` are sentences for people about a server that the rule keeps in
    service or out of service. They are empty for a side on which it keeps no server. `kept_in` and
    `kept_out` are the same in a few words, for outputs that name the rule.

    `is_operators_will`: the rule executes an order of an operator, so a server that it keeps in
    counts as good. `probes_the_others`: while the rule keeps in a server that gives no service, the
    servers that answer are probed at once, because the rule ends when one of them answers. `ends`
    returns a sentence on what ends its hold.
    """

    name: str
    apply: Callable[[RuleContext, Sequence[Reading]], Sequence[Reading]]
    keeps_in: str = ""
    keeps_out: str = ""
    kept_in: str = ""
    kept_out: str = ""
    is_operators_will: bool = False
    probes_the_others: bool = False
    ends: Ends = ends_by_itself


def blind(context: RuleContext, readings: Sequence[Reading]) -> Sequence[Reading]:
    """Suspect the agent or its settings when servers fail alike. It needs two servers.

    A soft failure is excused while all servers share it whose probe got as far as its check: the
    agent's password may have expired, or a test entry may have been deleted. If it contradicts an
    expectation (`Trust.EXPECTATION`), most of them are enough. None goes out for it before the
    others were probed since it began to fail: what they share begins and ends at any of them first.

    A server without any service is kept in until another server answered between two of its failed
    probes: after the first one began, and before the last one. An answer before or after them does
    not show that the network of this host was well. Nor does an answer of servers most of which
    have lost a connection as well: then a silence has to last.
    """
    if len(readings) < 2:  # noqa: PLR2004
        return readings
    shared = _shared_reasons(readings)
    unprobed = any(each.before is None and not each.findings for each in readings)
    blinded: list[Reading] = []
    for reading in readings:
        if reading.is_hard:
            blinded.append(_held_if_silent(context, reading, readings))
        elif unprobed and reading.is_first:  # the servers not probed yet may have the same failure
            blinded.append(_excused(context, reading, {each.reason for each in reading.removing}))
        else:
            excused = _excused(context, reading, shared)
            blinded.append(_held_if_votes_are_old(context, excused, readings))
    return blinded


def _shared_reasons(readings: Sequence[Reading]) -> frozenset[str]:
    """Return the reasons that are more likely the fault of an expectation than of the servers.

    A server votes on a reason if it answered and its probe got as far as the check. It takes two
    votes at least: all of them, or most of them if an expectation is contradicted.
    """
    answering = [each for each in readings if _answers(each)]
    failing = Counter(
        (found.check, found.reason, found.trust is Trust.EXPECTATION)
        for each in answering
        for found in {found.reason: found for found in each.removing}.values()
    )
    if not failing:  # the usual case, in each decision on a healthy cluster
        return frozenset()
    votes = Counter(
        check
        for each in answering
        for check in {found.check for found in each.findings if found.state is not State.UNKNOWN}
    )
    shared = frozenset(
        reason
        for (check, reason, is_expectation), number in failing.items()
        if votes[check] > 1
        and (number == votes[check] or (is_expectation and 2 * number > votes[check]))
    )
    return shared | _shared_slowness(answering)


def _shared_slowness(answering: Sequence[Reading]) -> frozenset[str]:
    """Return the reasons of servers that are too slow, if all are.

    The deadline ends the probes of slow servers at one check or another, maybe at one that removes
    no server.
    """
    if len(answering) < 2 or not all(map(_is_slow, answering)):  # noqa: PLR2004
        return frozenset()
    return frozenset(each.reason for of in answering for each in of.removing if _shows_slow(each))


def _is_slow(reading: Reading) -> bool:
    """Return whether slowness removes it, or it ran into the deadline after slow answers."""
    if any(map(_shows_slow, reading.removing)):
        return True
    return {each.code for each in reading.findings if _shows_slow(each)} == {*SLOW_CODES}


def _shows_slow(found: Finding) -> bool:
    return (
        found.code in SLOW_CODES
        and found.trust is Trust.SOFT
        and found.state in (State.WARNING, State.CRITICAL)
    )


def _excused(context: RuleContext, reading: Reading, shared: Collection[str]) -> Reading:
    excused = replace(reading, excused=frozenset(shared))
    if excused.in_service and not reading.in_service:
        return replace(excused, held_by=context.rule)
    return excused


def _held_if_votes_are_old(
    context: RuleContext, reading: Reading, readings: Sequence[Reading]
) -> Reading:
    """Return the reading, held in while another server answered only before this one failed."""
    past, settle = reading.past, context.cluster.settle
    if past is None or past.bad_since is None or reading.in_service or not past.in_service:
        return reading
    if not _has_fallen(past, settle, is_hard=False):
        return reading
    if context.now - past.bad_since >= settle.believe_seconds:
        return reading
    others = (each.past for each in readings if _answers(each) and each is not reading)
    if all(other is None or other.began >= past.bad_since for other in others):
        return reading
    return replace(reading, held=True, held_by=context.rule)


def _answers(reading: Reading) -> bool:
    return not reading.is_hard and not reading.learned_nothing


def _held_if_silent(context: RuleContext, reading: Reading, readings: Sequence[Reading]) -> Reading:
    """Return the reading, held in while no other server is known to have answered meanwhile."""
    past, settle = reading.past, context.cluster.settle
    if past is None or not past.in_service or past.silent_since is None:
        return reading
    if is_proven_silent(past) and not _others_lose(context, reading, readings):
        return reading
    all_fail = all(each.is_hard or each.learned_nothing for each in readings)
    waits = all_fail and settle.when_all_fail is WhenAllFail.HOLD
    since = past.silent_since if past.contradicted_at is None else past.contradicted_at
    if not waits and context.now - since >= settle.believe_seconds:
        return reading
    return replace(reading, held=True, held_by=context.rule)


def _others_lose(context: RuleContext, reading: Reading, readings: Sequence[Reading]) -> bool:
    """Return whether most of the others that answer have lost a connection lately.

    A network that loses a third of all connections gives one server after the other a few failed
    probes in a row.
    """
    others = [each.past for each in readings if _answers(each) and each is not reading]
    since = context.now - context.cluster.settle.believe_seconds
    losing = sum(
        past is not None and past.in_service and past.lost_at is not None and past.lost_at >= since
        for past in others
    )
    return 2 * losing > len(others)


def settle(context: RuleContext, readings: Sequence[Reading]) -> Sequence[Reading]:
    """Accept a change only after enough rounds, and damp flapping."""
    return [_settled(context, reading) for reading in readings]


def _settled(context: RuleContext, reading: Reading) -> Reading:
    past, settings = reading.past, context.cluster.settle
    if past is None or reading.held is not None:
        return reading
    if reading.in_service == past.in_service:
        is_held = past.in_service and reading.share not in (None, accepted_share(past, settings))
        return replace(reading, held_by=reading.held_by or context.rule) if is_held else reading
    if past.in_service:
        has_fallen = _has_fallen(past, settings, is_hard=reading.is_hard)
        enough = reading.is_proven or (has_fallen and not reading.is_undecided)
    else:
        waited = context.now - past.since
        enough = past.by_operator or (
            past.good >= settings.rise and waited >= min_out_seconds(past, settings)
        )
    return reading if enough else replace(reading, held=past.in_service, held_by=context.rule)


def is_in_doubt(past: ServerMemory, settings: Settle) -> bool:
    """Return whether the latest rounds contradict the side of a server, but are too few yet."""
    if not past.in_service:
        return 0 < past.good < settings.rise
    return past.bad > 0 and not _has_fallen(past, settings, is_hard=past.silent_since is not None)


def _has_fallen(past: ServerMemory, settings: Settle, *, is_hard: bool) -> bool:
    """Return whether a server had enough failed rounds to go out.

    Rounds in which the network of this host may have failed do not count for a soft failure: the
    first answer after them is often late, and one late answer removes no server.
    """
    return past.bad >= settings.fall_hard if is_hard else past.blamed >= settings.fall_soft


def accepted_share(past: ServerMemory, settings: Settle) -> float:
    """Return the share of its weight that a server gets. It changes only after enough rounds."""
    enough = settings.fall_soft if past.leaning_to < past.share else settings.rise
    return past.leaning_to if past.leaning >= enough else past.share


def override(context: RuleContext, readings: Sequence[Reading]) -> Sequence[Reading]:
    """Apply the overrides of operators."""
    found = context.memory.overrides
    return [
        replace(
            reading,
            held=found[reading.server.id].action == "in",
            held_by=context.rule,
            action=found[reading.server.id].action,
        )
        if reading.server.id in found
        else reading
        for reading in readings
    ]


def floor(context: RuleContext, readings: Sequence[Reading]) -> Sequence[Reading]:
    """Keep the least bad servers in, so that soft failures leave `min_in_service` servers."""
    missing = context.cluster.min_in_service - sum(reading.in_service for reading in readings)
    soft = [
        each
        for each in readings
        if not (each.in_service or each.is_hard or each.learned_nothing) and each.action is None
    ]
    least_bad = sorted(soft, key=_badness)[: max(0, missing)]
    kept = {reading.server.id for reading in least_bad}
    return [
        replace(r, held=True, held_by=context.rule) if r.server.id in kept else r for r in readings
    ]


def _badness(reading: Reading) -> tuple[int, bool]:
    """Return a sort key: the count of removing findings, then servers in service first."""
    return len(reading.removing), reading.past is not None and not reading.past.in_service


RULES: tuple[Rule, ...] = (
    Rule(
        name="blind",
        apply=blind,
        keeps_in="All servers fail alike, or no other server has answered since. The cause is more "
        "likely the agent or its settings than the server, so it stays in.",
        kept_in="all servers fail alike, so the cause is more likely on this side",
        probes_the_others=True,
        ends=blind_ends,
    ),
    Rule(
        name="settle",
        apply=settle,
        keeps_in="It fails, but not in enough rounds in a row yet.",
        keeps_out="It returns after enough good rounds in a row and the minimum time out.",
        kept_in="too few rounds in a row have failed yet, or called for its weight",
        kept_out="too few good rounds in a row yet, or too soon",
        ends=settle_ends,
    ),
    Rule(
        name="override",
        apply=override,
        keeps_in="An operator forced it in.",
        keeps_out="An operator took it out.",
        kept_in="an operator ordered it",
        kept_out="an operator ordered it",
        is_operators_will=True,
    ),
    Rule(
        name="floor",
        apply=floor,
        keeps_in="It should be out, but too few servers would remain. The least bad stay in.",
        kept_in="too few servers would remain without it",
        ends=floor_ends,
    ),
)
BY_NAME: Mapping[str, Rule] = {rule.name: rule for rule in RULES}


def rule_named(name: str) -> Rule | None:
    """Return the rule with this name, the `held_by` of a verdict; None if there is none."""
    return BY_NAME.get(name)


def held_words(name: str, *, in_service: bool) -> str:
    """Return such as `held by floor (kept in: ...)` for a verdict, or "" without a rule."""
    rule = rule_named(name)
    words = "" if rule is None else rule.kept_in if in_service else rule.kept_out
    held = f"held by {printable(name, LONGEST_NAME)}" if name else ""
    return f"{held} (kept {'in' if in_service else 'out'}: {words})" if words else held
