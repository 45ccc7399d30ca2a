"""Short texts on a snapshot: how many servers are in service, which are not, and why.

The sinks for people, for Nagios and for checkmk, and the page, call it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ldaphealth.guard import held_words
from ldaphealth.model import CheckEffect, Reason, Snapshot, State, Verdict, worst
from ldaphealth.text.ascii_line import ascii_line
from ldaphealth.text.effect_words import CANNOT_REMOVE, LOWERS_WEIGHT
from ldaphealth.text.listed import listed
from ldaphealth.text.printable import printable
from ldaphealth.text.quantity import quantity

NAME_CHARACTERS = 64
CODE_CHARACTERS = 64
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
        f"{explained_code(verdict, reason)}: {ascii_line(reason.summary)}"
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


def problems(
    snapshot: Snapshot, most_names: int = 8, name_characters: int = NAME_CHARACTERS
) -> list[str]:
    """Return phrases on the servers that are out, held or not OK, the worst first.

    Servers with the same problem share a phrase: `ldap2, ldap3 and 1 more out: bind.timeout`.
    Longer names than `name_characters` are cut. Several have none if `most_names` is 0.
    """
    shown = {id_: printable(name, name_characters) for id_, name in names(snapshot).items()}
    alike: dict[str, list[str]] = {}
    for verdict in sorted(snapshot.verdicts, key=lambda v: (v.in_service, -v.state.severity)):
        if problem := _problem(verdict):
            alike.setdefault(problem, []).append(shown[verdict.server])
    return [_listed(servers, most_names) + problem for problem, servers in alike.items()]


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
        what = "" if verdict.in_service else " out"
    codes = ", ".join(dict.fromkeys(printable(r.code, CODE_CHARACTERS) for r in _causes(verdict)))
    if not codes and verdict.state is not State.OK:
        codes = verdict.state.name
    return f"{what}: {codes}" if codes else what


def _causes(verdict: Verdict) -> Iterable[Reason]:
    """Return the reasons that remove a server, or else those with the state of the verdict."""
    removing = [reason for reason in verdict.reasons if reason.removes]
    return removing or [reason for reason in verdict.reasons if reason.state is verdict.state]
