"""The plain reading of the newest findings on one server, and how the rules changed it.

What follows from the findings alone is in `FoundOnServer`, which is made once for all decisions
with them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

from msgspec import Struct
from msgspec.structs import replace

from ldaphealth.guard.memory import RoundPeriod, ServerMemory
from ldaphealth.model import (
    Basis,
    CheckEffect,
    Finding,
    OverrideAction,
    Reason,
    Server,
    State,
    Trust,
    worst,
)

# The share of its weight that a server keeps with a finding of a check whose effect is `weight`.
WEIGHT_SHARE = {State.WARNING: 0.5, State.CRITICAL: 0.25}

MOST_ANSWERS = 8  # of a server, which may have come while a probe of another one was under way


class FoundOnServer(Struct, frozen=True, kw_only=True):
    """The findings on one server, and what follows from them and the effects of their checks.

    `removing` are the findings that would take the server out, and `reasons` those of all that are
    not OK, the worst first. `state` is that of the worst finding. `is_hard`: there is no usable
    LDAP service. `is_unknown`: no check with effect `out` succeeded or removes the server. `share`
    is the share of its weight that the findings leave it, None if it is not known.
    """

    findings: tuple[Finding, ...]
    effects: Mapping[str, CheckEffect]  # by check that is run on the server
    removing: tuple[Finding, ...]
    state: State
    reasons: tuple[Reason, ...]
    is_hard: bool
    is_unknown: bool
    share: float | None


def found_on_server(
    findings: Sequence[Finding], effects: Mapping[str, CheckEffect]
) -> FoundOnServer:
    """Return what follows from the findings on one server; `effects` are by check."""
    bad = [each for each in findings if each.state is not State.OK]
    removing = tuple(each for each in bad if is_removing(each, effects))
    return FoundOnServer(
        findings=tuple(findings),
        effects=effects,
        removing=removing,
        state=worst(each.state for each in bad or findings[:1]),
        reasons=_reasons(bad, effects),
        is_hard=any(each.trust is Trust.HARD for each in removing),
        is_unknown=not removing and not any(_is_known(each, effects) for each in findings),
        share=_share(findings, effects),
    )


def _reasons(bad: Sequence[Finding], effects: Mapping[str, CheckEffect]) -> tuple[Reason, ...]:
    """Return a reason for each of these findings, the worst first."""
    return tuple(
        Reason(
            each.reason,
            each.summary,
            each.state,
            effect=effects[each.check],
            removes=is_removing(each, effects),
        )
        for each in sorted(bad, key=lambda finding: -finding.state.severity)
    )


def _is_known(finding: Finding, effects: Mapping[str, CheckEffect]) -> bool:
    """Return whether a check with effect `out` could judge the server, and does not remove it."""
    is_judged = finding.state is State.OK or finding.state is State.WARNING
    return is_judged and effects.get(finding.check) is CheckEffect.OUT


def _share(findings: Sequence[Finding], effects: Mapping[str, CheckEffect]) -> float | None:
    shares = [
        WEIGHT_SHARE.get(each.state, 1.0) if each.trust.can_remove else 1.0
        for each in findings
        if effects.get(each.check) is CheckEffect.WEIGHT and each.state is not State.UNKNOWN
    ]
    if not shares and CheckEffect.WEIGHT in effects.values():
        return None
    return min(shares, default=1.0)


class Reading(Struct, frozen=True, kw_only=True, dict=True):  # with a cached property
    """What was found on one server, its memory, and the effect of the rules so far.

    `before` is the memory from the last decision, None for a server without one: then the plain
    reading counts. `past` is the same with the latest round counted. `held` is the side on which a
    rule holds the server, None if no rule does.
    """

    server: Server
    found: FoundOnServer
    before: ServerMemory | None = None
    round: RoundPeriod | None = None  # not counted yet, if there is one
    excused: frozenset[str] = frozenset()  # reasons caused by an expectation, not by the server
    held: bool | None = None
    held_by: str = ""
    action: OverrideAction | None = None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Return the newest findings on the server."""
        return self.found.findings

    @property
    def removing(self) -> tuple[Finding, ...]:
        """Return those of the findings that would take the server out."""
        return self.found.removing

    @property
    def plain(self) -> bool:
        """Return whether the findings alone leave the server in service.

        It depends on the newest findings only, and not on rules, excused reasons or memory. It is
        true when nothing is known (no findings, or UNKNOWN only), even for a server that is out.
        """
        return not self.removing

    @property
    def is_hard(self) -> bool:
        """Return whether there is no usable LDAP service."""
        return self.found.is_hard

    @property
    def is_blamed(self) -> bool:
        """Return whether a failure that removes the server is its own, and not excused."""
        return bool(self.blaming)

    @property
    def blaming(self) -> tuple[Finding, ...]:
        """Return the findings that remove the server and are not excused."""
        return tuple(each for each in self.removing if each.reason not in self.excused)

    @property
    def is_proven(self) -> bool:
        """Return whether a check has judged enough probes together: one round is enough."""
        return any(each.basis is Basis.WINDOW for each in self.blaming)

    @property
    def is_undecided(self) -> bool:
        """Return whether it is blamed, but too few probes were made to change the verdict."""
        blaming = self.blaming
        return bool(blaming) and all(each.basis.is_undecided for each in blaming)

    @property
    def is_unknown(self) -> bool:
        """Return whether nothing is known: no check with effect `out` succeeded or removes it."""
        return self.found.is_unknown

    @property
    def share(self) -> float | None:
        """Return the share of its weight that the findings leave it, None if it is not known."""
        return self.found.share

    @property
    def learned_nothing(self) -> bool:
        """Return whether it was probed without a result. Such a server shares no failure."""
        return bool(self.findings) and self.is_unknown

    @property
    def is_first(self) -> bool:
        """Return whether this is its first round in an agent. A one-shot command has no rounds."""
        return self.before is None and self.round is not None

    @cached_property
    def past(self) -> ServerMemory | None:
        """Return the memory with the latest round counted."""
        if self.before is None or self.round is None:
            return self.before
        began = self.round.began if self.round.last_began is None else self.round.last_began
        past = replace(self.before, began=began)
        if self.is_unknown:
            return past
        if self.share is not None:
            past = _leaning(past, self.share)
        if self.is_hard:
            known = (
                past.silent_since,
                past.unanswered_since,
                self.round.silent_since,
                self.round.began,
            )
            past = replace(past, silent_since=next(each for each in known if each is not None))
        else:
            at = self.round.ended if self.round.answered is None else self.round.answered
            lost_at = self.round.lost_at if past.silent_since is None else None
            past = replace(
                past,
                lost_at=past.lost_at if lost_at is None else lost_at,
                answered=at,
                answers=(*past.answers, at)[-MOST_ANSWERS:],
                silent_since=None,
                unanswered_since=self.round.silent_since,
                contradicted_at=None,
            )
        return self._counted(past)

    def _counted(self, past: ServerMemory) -> ServerMemory:
        """Count the round as good or bad.

        For a server that is out it is good only if each check that took it out could judge it. One
        that is no longer run on the server, or may no longer take it out, does not count.
        """
        blamed = {each.check for each in self.blaming}
        if not (blamed or past.failing):
            return replace(past, good=past.good + 1, bad=0, bad_since=None, blamed=0)
        could = {check for check, effect in self.found.effects.items() if effect is CheckEffect.OUT}
        unjudged = {each for each in could.intersection(past.failing) if not self._has_judged(each)}
        if blamed:
            failing = tuple(sorted(blamed | unjudged))
            return replace(self._counted_bad(past), failing=failing)
        past = replace(past, bad=0, bad_since=None, blamed=0)
        if past.in_service or past.by_operator:
            return replace(past, good=past.good + 1, failing=())
        return replace(past, good=0 if unjudged else past.good + 1)

    def _counted_bad(self, past: ServerMemory) -> ServerMemory:
        assert self.round is not None
        past = replace(past, good=0)
        if self.is_undecided:
            return past
        return replace(
            past,
            bad=past.bad + 1,
            bad_since=past.bad_since if past.bad else self.round.began,
            blamed=past.blamed + (not self.is_hard or is_proven_silent(past)),
        )

    def _has_judged(self, check: str) -> bool:
        """Return whether a check could judge the server: UNKNOWN, or no finding, says nothing."""
        found = [each for each in self.findings if each.check == check]
        known = [each for each in found if each.state is not State.UNKNOWN]
        return bool(known) and (known == found or any(each.trust.can_remove for each in known))

    @property
    def in_service(self) -> bool:
        """Return whether the server is in service after the rules so far."""
        if self.held is not None:
            return self.held
        if self.is_unknown and self.before is not None:
            return self.before.in_service or self.before.by_operator
        return not self.is_blamed


def is_proven_silent(past: ServerMemory) -> bool:
    """Return whether another server answered between two of the latest probes without service."""
    return past.contradicted_at is not None and past.contradicted_at <= past.began


def is_removing(finding: Finding, effects: Mapping[str, CheckEffect]) -> bool:
    """Return whether a finding by itself would take its server out; `effects` are by check."""
    return (
        finding.state is State.CRITICAL
        and finding.trust.can_remove
        and effects.get(finding.check) is CheckEffect.OUT
    )


def _leaning(past: ServerMemory, share: float) -> ServerMemory:
    """Count one round that calls for this share of the weight."""
    if share == past.share:
        return replace(past, leaning=0, leaning_to=share)
    less = share < past.share
    if not past.leaning or less is not (past.leaning_to < past.share):
        return replace(past, leaning=1, leaning_to=share)
    nearest = max(share, past.leaning_to) if less else min(share, past.leaning_to)
    return replace(past, leaning=past.leaning + 1, leaning_to=nearest)
