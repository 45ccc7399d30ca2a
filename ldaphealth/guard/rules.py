"""The rules that override a plain reading, one row each, in the order in which they apply.

Each takes all readings of a cluster, because only the whole pool tells a sick server from a sick
expectation. A reading that a rule changes names it. All that the rest of the program needs to know
of a rule is in its row in `RULES`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from ldaphealth.clocks import BootSeconds
from ldaphealth.guard.memory import Memory, ServerMemory
from ldaphealth.guard.reading import Reading
from ldaphealth.settings import Cluster, Settle

MOST_DOUBLINGS = 5


class RuleContext(Struct, frozen=True):
    """What a rule may use beside the readings.

    `rule` is the name of the rule that applies now, for the `held_by` of the readings it changes.
    """

    cluster: Cluster
    memory: Memory
    now: BootSeconds
    rule: str


class Rule(Struct, frozen=True, kw_only=True):
    """One rule of the guard: its name, its function, and what others need to know of it.

    `name` is what `held_by` of a verdict says. `apply` returns the readings of a cluster as the
    rule leaves them. `keeps_in` and `keeps_out` are sentences for people about a server that the
    rule keeps in service or out of service, empty for a side on which it keeps no server.

    `is_operators_will`: the rule does what an operator ordered, so a server that it keeps in counts
    as good. `probes_the_others`: while the rule keeps in a server that gives no service, the
    servers that answer are probed at once, because their answer ends the doubt.
    """

    name: str
    apply: Callable[[RuleContext, Sequence[Reading]], Sequence[Reading]]
    keeps_in: str = ""
    keeps_out: str = ""
    is_operators_will: bool = False
    probes_the_others: bool = False


def blind(context: RuleContext, readings: Sequence[Reading]) -> Sequence[Reading]:
    """Suspect ourselves when all servers fail alike; it needs two servers to compare.

    A soft failure that every answering server has blames the expectation, for as long as it lasts:
    an expired password of ours or a deleted test entry looks like this. That a server gives no
    service at all is believed once another one was seen to answer meanwhile, or after
    `believe_seconds`: until then the network of this machine may be what is gone.
    """
    if len(readings) < 2:  # noqa: PLR2004
        return readings
    answering = [each for each in readings if not each.is_hard and not each.learned_nothing]
    common: frozenset[str] = frozenset()
    if len(answering) > 1:
        common = frozenset.intersection(
            *(frozenset(finding.reason for finding in reading.removing) for reading in answering)
        )
    unseen = any(each.before is None and not each.findings for each in readings)
    return [
        _unless_seen(context, reading, readings)
        if reading.is_hard
        else _excuse(context, reading, _own(reading) if unseen and reading.is_first else common)
        for reading in readings
    ]


def _own(reading: Reading) -> frozenset[str]:
    """Excuse a first soft failure until all were looked at: others may have it, too."""
    return frozenset(finding.reason for finding in reading.removing)


def _excuse(context: RuleContext, reading: Reading, common: frozenset[str]) -> Reading:
    excused = replace(reading, excused=common)
    if excused.in_service and not reading.in_service:
        return replace(excused, held_by=context.rule)
    return excused


def _unless_seen(context: RuleContext, reading: Reading, readings: Sequence[Reading]) -> Reading:
    past = reading.past
    if past is None or not past.in_service or past.silent_since is None:
        return reading
    others = [each.past for each in readings if each is not reading]
    seen = any(other is not None and other.answered >= past.began for other in others)
    if seen or context.now - past.silent_since >= context.cluster.settle.believe_seconds:
        return reading
    return replace(reading, held=True, held_by=context.rule)


def settle(context: RuleContext, readings: Sequence[Reading]) -> Sequence[Reading]:
    """Let a server change sides only after enough rounds, and not too often."""
    return [_settled(context, reading) for reading in readings]


def _settled(context: RuleContext, reading: Reading) -> Reading:
    past, wanted = reading.past, context.cluster.settle
    if past is None or reading.held is not None:
        return reading
    if reading.in_service == past.in_service:
        holds = past.in_service and reading.share not in (None, believed_share(past, wanted))
        return replace(reading, held_by=reading.held_by or context.rule) if holds else reading
    if past.in_service:
        enough = past.bad >= (wanted.fall_hard if reading.is_hard else wanted.fall_soft)
    else:
        waited = context.now - past.since
        enough = past.good >= wanted.rise and waited >= min_out_seconds(past, wanted)
    return reading if enough else replace(reading, held=past.in_service, held_by=context.rule)


def believed_share(past: ServerMemory, wanted: Settle) -> float:
    """Return the share of its weight that a server gets, after enough rounds that say the same."""
    enough = wanted.fall_soft if past.leaning_to < past.share else wanted.rise
    return past.leaning_to if past.leaning >= enough else past.share


def min_out_seconds(past: ServerMemory, wanted: Settle) -> float:
    """Return how long the server must stay out: twice as long with each flap."""
    doublings = min(max(0, len(past.fell) - 1), MOST_DOUBLINGS)
    return float(wanted.min_out_seconds * 2**doublings)


def override(context: RuleContext, readings: Sequence[Reading]) -> Sequence[Reading]:
    """Do what an operator said, until it expires."""
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
    """Keep the least bad in, so that soft failures leave `min_in_service` servers."""
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
    """Order by how much is wrong; of two alike, the one that is in stays in."""
    return len(reading.removing), reading.past is not None and not reading.past.in_service


RULES: tuple[Rule, ...] = (
    Rule(
        name="blind",
        apply=blind,
        keeps_in="All servers fail alike, or no other server has answered since: more likely it is "
        "us than them, so it stays in.",
        probes_the_others=True,
    ),
    Rule(
        name="settle",
        apply=settle,
        keeps_in="It fails, but not in enough rounds yet to be believed.",
        keeps_out="It may come back once it was good for long enough.",
    ),
    Rule(
        name="override",
        apply=override,
        keeps_in="An operator forced it in.",
        keeps_out="An operator took it out.",
        is_operators_will=True,
    ),
    Rule(
        name="floor",
        apply=floor,
        keeps_in="It should be out, but too few servers would be left: the least bad stay in.",
    ),
)
BY_NAME: Mapping[str, Rule] = {rule.name: rule for rule in RULES}


def rule_named(name: str) -> Rule | None:
    """Return the rule that `held_by` of a verdict names, None where it names none."""
    return BY_NAME.get(name)
