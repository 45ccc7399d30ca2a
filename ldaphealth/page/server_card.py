"""The text on one server on the page: its side, the rule that holds it there, and the reasons.

Pure; page.py sorts the cards and renders the template.
"""

from __future__ import annotations

from collections import Counter

from msgspec import Struct

from ldaphealth.clocks import BootSeconds
from ldaphealth.guard import rule_named
from ldaphealth.live.live_server import LiveServer
from ldaphealth.model import State, Verdict
from ldaphealth.page.plot import Plot
from ldaphealth.sinks.summary import explained_code, remark
from ldaphealth.text.command_template import LONGEST_REMEDY
from ldaphealth.text.duration import brief, duration
from ldaphealth.text.printable import printable

NAME_CHARACTERS = 129  # the longest ID of a server: two names of 64
MOST_ROWS = 24  # of reasons, and of checks

IN, OUT, DRAINING, STALE = "in service", "out", "draining", "no fresh verdict"

DRAINED = "Drained by an operator: no new connections; open ones continue."


class CardOverride(Struct, frozen=True):
    """An operator's override in force, the seconds that are left, and who set it."""

    action: str
    left_seconds: float
    reason: str = ""
    by: str = ""


class CardRow(Struct, frozen=True):
    """A reason, or the finding of one check: `state` is ok, warning, critical or unknown.

    `remark` is the effect of a reason that does not remove its server, or "". `remedy` is what to
    do about a reason, or "".
    """

    name: str
    state: str
    sentence: str
    remark: str = ""
    remedy: str = ""


class Card(Struct, frozen=True, kw_only=True):
    """One server. `kind` is one of KINDS, and sets colour and shape; `uri` is its address."""

    id: str
    name: str
    uri: str = ""
    kind: str
    side: str  # in service, out, draining, no fresh verdict
    qualifier: str  # held, or a state that is not OK
    state: str  # ok, warning, critical or unknown, of the worst finding
    held: str  # the rule, or ""
    held_sentence: str
    weight: int
    lasted: str
    brief: str  # the text beside the name
    reasons: tuple[CardRow, ...]
    left_out: int
    checks: tuple[CardRow, ...]
    counted: str  # "4 ok, 1 critical"
    plots: tuple[Plot, ...] = ()  # of the last hour, on few servers only
    open: bool = False  # whether the details are open at first
    expired_side: str = ""  # side of a stale verdict
    expired: str = ""  # for how long it has been stale
    history: str = ""  # the path of the page of its history
    shadow: str = ""  # what the shadow of the cluster would have done otherwise

    @property
    def rank(self) -> int:
        """Return the position on the page: the worst first."""
        return KINDS.index(self.kind)


KINDS = ("out", "stale", "critical", "held", "draining", "warned", "fine")


def card(known: LiveServer, now: BootSeconds, override: CardOverride | None = None) -> Card:
    """Return the card of a server without plots; `now` is in seconds since the boot."""
    verdict, stale = known.verdict, known.is_stale(now)
    reasons = _reason_rows(verdict)
    name = verdict.server.partition("/")[2] or verdict.server
    shadow = printable(known.shadow.would) if known.shadow is not None and not stale else ""
    return Card(
        id=printable(verdict.server, NAME_CHARACTERS),
        name=printable(name, NAME_CHARACTERS),
        kind=_kind(verdict, stale),
        side=STALE if stale else side(verdict),
        qualifier="" if stale else _qualifier(verdict),
        state=verdict.state.name.lower(),
        held=printable(verdict.held_by, 64),
        held_sentence=_held(verdict, override),
        weight=verdict.weight,
        lasted=duration(verdict.lasted_seconds) if verdict.lasted_seconds >= 1 else "",
        brief=_left(override) if verdict.draining and override else _brief(known, shadow),
        reasons=reasons,
        left_out=len(verdict.reasons) - len(reasons),
        checks=_check_rows(verdict),
        counted=_counted(verdict),
        expired_side=side(verdict) if stale else "",
        expired=duration(max(0.0, now - known.valid_until)) if stale and known.valid_until else "",
        shadow=shadow,
    )


def _reason_rows(verdict: Verdict) -> tuple[CardRow, ...]:
    return tuple(
        CardRow(
            printable(each.code),
            each.state.name.lower(),
            printable(each.summary),
            remark(verdict, each),
            printable(verdict.remedies.get(each.code, ""), LONGEST_REMEDY),
        )
        for each in verdict.reasons[:MOST_ROWS]
    )


def _check_rows(verdict: Verdict) -> tuple[CardRow, ...]:
    return tuple(
        CardRow(printable(each.check, 64), each.state.name.lower(), printable(each.summary))
        for each in verdict.findings[:MOST_ROWS]
    )


def side(verdict: Verdict) -> str:
    """Return in service, draining or out."""
    return IN if verdict.in_service else DRAINING if verdict.draining else OUT


def _kind(verdict: Verdict, stale: bool) -> str:
    if stale:
        return "stale"
    if not verdict.in_service:
        return "draining" if verdict.draining else "out"
    if verdict.held_by:
        return "held"
    if verdict.state is State.CRITICAL:
        return "critical"
    return "fine" if verdict.state is State.OK else "warned"


def _qualifier(verdict: Verdict) -> str:
    if verdict.held_by and not verdict.draining:
        return "held"
    return verdict.state.name.lower() if verdict.in_service and verdict.state.value else ""


def _counted(verdict: Verdict) -> str:
    states = Counter(finding.state for finding in verdict.findings)
    worst_first = sorted(states, key=lambda state: -state.severity)
    return ", ".join(f"{states[state]} {state.name.lower()}" for state in worst_first)


def _held(verdict: Verdict, override: CardOverride | None) -> str:
    if not verdict.held_by:
        return ""
    rule = rule_named(verdict.held_by)
    sentence = ""
    if verdict.draining:
        sentence = DRAINED
    elif rule is not None:
        sentence = rule.keeps_in if verdict.in_service else rule.keeps_out
    sentence = sentence or f"A rule keeps it {'in' if verdict.in_service else 'out'}."
    if override is None or rule is None or not rule.is_operators_will:
        return sentence
    return f"{sentence} {_left(override)}"


def _left(override: CardOverride) -> str:
    why = f": {printable(override.reason)}" if override.reason else ""
    by = f", by {printable(override.by, NAME_CHARACTERS)}" if override.by else ""
    return f"{duration(max(0.0, override.left_seconds))} left{by}{why}"


def _brief(known: LiveServer, shadow: str) -> str:
    """Return the first reason, else what its shadow would have done, else the median times.

    These are those of the newest minute.
    """
    verdict, hours = known.verdict, known.hours
    if verdict.reasons:
        first = verdict.reasons[0]
        return f"{printable(explained_code(verdict, first), 96)}: {printable(first.summary, 120)}"
    if shadow:
        return f"shadow: {shadow}"
    medians = [
        f"{printable(check, 16)} {brief(hour.current.quantile(0.5))}"
        for check, hour in hours.items()
        if hour.current.count
    ]
    return " · ".join(medians)
