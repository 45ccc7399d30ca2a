"""Short texts on a snapshot: how many servers are in service, which are not, and why.

The sinks for people, for Nagios and for checkmk, and the page, call it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from ldaphealth.guard import held_words, rule_named
from ldaphealth.model import CheckEffect, Reason, Snapshot, State, Verdict, worst
from ldaphealth.text.ascii_line import ascii_line
from ldaphealth.text.duration import one_unit
from ldaphealth.text.effect_words import CANNOT_REMOVE, LOWERS_WEIGHT
from ldaphealth.text.listed import listed
from ldaphealth.text.printable import printable
from ldaphealth.text.quantity import quantity

NAME_CHARACTERS = 64
CODE_CHARACTERS = 64
SENTENCE_CHARACTERS = 500
OUT = " out"  # in a phrase on a server, after its name
STALE = "agent.stale"  # the reason of a verdict that replaces an expired one


def is_stale(verdict: Verdict) -> bool:
    """Return whether the verdict replaces an expired one (check_ldap.stale)."""
    return any(reason.code == STALE for reason in verdict.reasons)


def names(snapshot: Snapshot) -> Mapping[str, str]:
    """Return a printable name by server ID, without the cluster when there is only one."""
    ids = [verdict.server for verdict in snapshot.verdicts]
    one_cluster = len({id_.partition("/")[0] for id_ in ids}) == 1 and all("/" in i for i in ids)
    return {
        id_: printable(id_.partition("/")[2] if one_cluster else id_, NAME_CHARACTERS)
        for id_ in ids
    }


def summary(snapshot: Snapshot) -> str:
    """Return how many servers are in service; one with a stale verdict is not counted as such."""
    serving = sum(each.in_service and not is_stale(each) for each in snapshot.verdicts)
    return f"{serving} of {len(snapshot.verdicts)} in service"


def nagios_state(verdict: Verdict) -> State:
    """Return the state of one server: its worst finding, and CRITICAL when it is out.

    A server that a rule holds out (such as a drain) is WARNING at least: it is out on purpose, and
    only for a time.
    """
    if verdict.in_service:
        return verdict.state
    return worst((verdict.state, State.WARNING if verdict.held_by else State.CRITICAL))


def sentence(verdict: Verdict) -> str:
    """Return the verdict and its reasons as one line of any length, without the server's name."""
    side = "in service" if verdict.in_service else "OUT of service"
    if verdict.draining:
        side = "draining"
    words = held_words(verdict.held_by, in_service=verdict.in_service)
    held = f", {words}" if words else ""
    first = () if is_stale(verdict) else (f"{side}, weight {verdict.weight}{held}",)
    why = (
        f"{explained_code(verdict, reason)}: {ascii_line(reason.summary, SENTENCE_CHARACTERS)}"
        for reason in verdict.reasons
    )
    return "; ".join((*first, *why))


def explained_code(verdict: Verdict, reason: Reason) -> str:
    """Return the code of a reason, with a remark if it is CRITICAL and the server in service.

    A CRITICAL reason that can remove the server gets no remark: `held_by` of the verdict names the
    rule that keeps the server in service.
    """
    explained = verdict.in_service and reason.state is State.CRITICAL
    note = remark(verdict, reason) if explained else ""
    return f"{reason.code} ({note})" if note else reason.code


def remark(verdict: Verdict, reason: Reason) -> str:
    """Return the effect of a reason that does not remove its server, or "".

    A reason of a check that may take a server out has no remark, unless it is CRITICAL and still
    cannot remove the server.
    """
    if reason.removes:
        return ""
    if reason.effect is CheckEffect.OUT:
        return CANNOT_REMOVE if reason.state is State.CRITICAL else ""
    return LOWERS_WEIGHT if _lowers_weight(verdict, reason) else CANNOT_REMOVE


def _lowers_weight(verdict: Verdict, reason: Reason) -> bool:
    """Return whether a reason lowers the weight; a finding that is not trusted does not."""
    trusts = [each.trust for each in verdict.findings if each.reason == reason.code]
    is_trusted = not trusts or any(trust.can_remove for trust in trusts)
    return reason.effect is CheckEffect.WEIGHT and is_trusted


def reasons_in_order(verdict: Verdict) -> list[Reason]:
    """Return the reasons, those first that remove the server, then the worst."""
    return sorted(verdict.reasons, key=lambda each: (not each.removes, -each.state.severity))


def cause_codes(verdict: Verdict) -> str:
    """Return the codes that make the verdict what it is, then the others.

    Each stands once, with how often: `replication.behind; also consumer.not_connected (3)`.
    """
    causes = [*_causes(verdict)]
    others = [each for each in reasons_in_order(verdict) if each not in causes]
    parts = (_counted_codes(causes), _counted_codes(others))
    return "; also ".join(filter(None, parts))


def _counted_codes(reasons: Iterable[Reason]) -> str:
    numbers = Counter(printable(each.code, CODE_CHARACTERS) for each in reasons)
    return ", ".join(f"{code} ({n})" if n > 1 else code for code, n in numbers.items())


def problems(
    snapshot: Snapshot,
    most_names: int = 8,
    name_characters: int = NAME_CHARACTERS,
    *,
    timed: bool = False,
) -> list[str]:
    """Return phrases on the servers that are out, held or not OK, the worst first.

    Servers with the same problem share a phrase: `ldap2, ldap3 and 1 more out: bind.timeout`. If
    `timed`, one server has the time for which it is out: `ldap3 out for 72 s: replication.behind`.
    Longer names than `name_characters` are cut. Several have none if `most_names` is 0.
    """
    shown = {id_: printable(name, name_characters) for id_, name in names(snapshot).items()}
    alike: dict[str, list[Verdict]] = {}
    for verdict in worst_first(snapshot):
        if problem := _problem(verdict):
            alike.setdefault(problem, []).append(verdict)
    if len(alike) == 1 and len(snapshot.verdicts) > 1 and _fail_alike(snapshot):
        return [f"all {len(snapshot.verdicts)} fail alike: {_codes(snapshot.verdicts[0])}"]
    return [
        _listed([shown[each.server] for each in found], most_names)
        + (_timed(problem, found) if timed else problem)
        for problem, found in alike.items()
    ]


def worst_first(snapshot: Snapshot) -> list[Verdict]:
    """Return the verdicts, those first that are out of service, then the worst."""
    return sorted(snapshot.verdicts, key=lambda v: (v.in_service, -v.state.severity))


def first_cause(verdict: Verdict) -> Reason | None:
    """Return the reason that removes the server, or else the first with the verdict's state."""
    return next(iter(_causes(verdict)), None)


def _fail_alike(snapshot: Snapshot) -> bool:
    """Return whether all servers are kept in by the rule for those that all fail alike."""
    return all(fails_like_the_others(each) for each in snapshot.verdicts)


def fails_like_the_others(verdict: Verdict) -> bool:
    """Return whether the rule keeps it in that takes what all servers share for no proof."""
    rule = rule_named(verdict.held_by)
    return verdict.in_service and rule is not None and rule.probes_the_others


def _timed(problem: str, servers: Sequence[Verdict]) -> str:
    lasted = servers[0].lasted_seconds
    if len(servers) > 1 or lasted < 1 or not problem.startswith(OUT):
        return problem
    return f"{OUT} for {one_unit(lasted)}{problem.removeprefix(OUT)}"


def _listed(servers: Sequence[str], most: int) -> str:
    if not most and len(servers) > 1:
        return quantity(len(servers), "server")
    return listed(servers, max(most, 1))


def _problem(verdict: Verdict) -> str:
    """Return what follows the name, or "" if there is no problem."""
    side = "in" if verdict.in_service else "out"
    if verdict.draining:
        what = " draining"
    elif verdict.held_by:
        what = f" held {side} by {printable(verdict.held_by, CODE_CHARACTERS)}"
    else:
        what = "" if verdict.in_service else OUT
    codes = _codes(verdict)
    return f"{what}: {codes}" if codes else what


def _codes(verdict: Verdict) -> str:
    codes = dict.fromkeys(printable(each.code, CODE_CHARACTERS) for each in _causes(verdict))
    return ", ".join(codes) or ("" if verdict.state is State.OK else verdict.state.name)


def _causes(verdict: Verdict) -> Iterable[Reason]:
    """Return the reasons that remove a server, or else those with the state of the verdict."""
    removing = [reason for reason in verdict.reasons if reason.removes]
    return removing or [reason for reason in verdict.reasons if reason.state is verdict.state]
