"""What a tired person must read first: how many serve, which server does not, and why.

The sinks for people, for Nagios and for checkmk call it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ldaphealth.model import CheckEffect, Reason, Snapshot, State, Verdict, worst
from ldaphealth.text.ascii_line import ascii_line
from ldaphealth.text.printable import printable

NAME_CHARACTERS = 64
CODE_CHARACTERS = 64
ONLY_REPORTED, LOWERS_WEIGHT = "only reported", "lowers the weight"
STALE = "agent.stale"  # the reason in place of a verdict that holds no more


def is_stale(verdict: Verdict) -> bool:
    """Tell whether all that is said is that nothing is known any more (check_ldap.stale)."""
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
    """Return how many servers are in service; of a stale verdict nobody knows."""
    serving = sum(each.in_service and not is_stale(each) for each in snapshot.verdicts)
    return f"{serving} of {len(snapshot.verdicts)} in service"


def nagios_state(verdict: Verdict) -> State:
    """Return the state of one server: its worst finding, and CRITICAL when it is out.

    A rule that holds a server out (such as a drain) is somebody's will: WARNING at least, because
    it must end one day.
    """
    if verdict.in_service:
        return verdict.state
    return worst((verdict.state, State.WARNING if verdict.held_by else State.CRITICAL))


def sentence(verdict: Verdict) -> str:
    """Return all that is said of one server but its name, on one line that is not bounded."""
    words = "in service" if verdict.in_service else "OUT of service"
    if verdict.draining:
        words = "draining"
    held = f", held by {verdict.held_by}" if verdict.held_by else ""
    side = () if is_stale(verdict) else (f"{words}, weight {verdict.weight}{held}",)
    why = (
        f"{explained_code(verdict, reason)}: {ascii_line(reason.summary)}"
        for reason in verdict.reasons
    )
    return "; ".join((*side, *why))


def explained_code(verdict: Verdict, reason: Reason) -> str:
    """Return the code of a reason; where it is CRITICAL and the server in service, also why.

    A CRITICAL reason that can remove the server gets no remark: `held_by` of the verdict names the
    rule that keeps the server in service.
    """
    explained = verdict.in_service and reason.state is State.CRITICAL
    note = remark(verdict, reason) if explained else ""
    return f"{reason.code} ({note})" if note else reason.code


def remark(verdict: Verdict, reason: Reason) -> str:
    """Return what a reason does where it does not remove its server, or nothing.

    A reason of a check that may take a server out needs no remark, unless it is CRITICAL and still
    cannot.
    """
    if reason.removes:
        return ""
    if reason.effect is CheckEffect.OUT:
        return ONLY_REPORTED if reason.state is State.CRITICAL else ""
    return LOWERS_WEIGHT if _lowers_weight(verdict, reason) else ONLY_REPORTED


def _lowers_weight(verdict: Verdict, reason: Reason) -> bool:
    """Return whether a reason lowers the weight; a finding that is not trusted does not."""
    trusts = [each.trust for each in verdict.findings if each.reason == reason.code]
    is_trusted = not trusts or any(trust.can_remove for trust in trusts)
    return reason.effect is CheckEffect.WEIGHT and is_trusted


def troubles(snapshot: Snapshot, most_names: int = 8) -> list[str]:
    """Return phrases on the servers that are out, held or not OK; the worst come first.

    Servers with the same trouble share a phrase: `ldap2, ldap3 and 1 more out: bind.timeout`.
    """
    shown = names(snapshot)
    alike: dict[str, list[str]] = {}
    for verdict in sorted(snapshot.verdicts, key=lambda v: (v.in_service, -v.state.severity)):
        if trouble := _trouble(verdict):
            alike.setdefault(trouble, []).append(shown[verdict.server])
    return [_listed(servers, most_names) + trouble for trouble, servers in alike.items()]


def _listed(servers: Sequence[str], most: int) -> str:
    rest = len(servers) - most
    return ", ".join(servers[:most]) + (f" and {rest} more" if rest > 0 else "")


def _trouble(verdict: Verdict) -> str:
    """Return what follows the name, or nothing when all is well."""
    side = "in" if verdict.in_service else "out"
    if verdict.draining:
        what = " draining"
    elif verdict.held_by:
        what = f" held {side} by {printable(verdict.held_by, CODE_CHARACTERS)}"
    else:
        what = "" if verdict.in_service else " out"
    codes = ", ".join(dict.fromkeys(printable(r.code, CODE_CHARACTERS) for r in _blamed(verdict)))
    if not codes and verdict.state is not State.OK:
        codes = verdict.state.name
    return f"{what}: {codes}" if codes else what


def _blamed(verdict: Verdict) -> Iterable[Reason]:
    """Return the reasons that remove a server, or else those as bad as its state."""
    removing = [reason for reason in verdict.reasons if reason.removes]
    return removing or [reason for reason in verdict.reasons if reason.state is verdict.state]
