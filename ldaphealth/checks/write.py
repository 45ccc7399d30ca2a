"""A round trip on the agent's own canary: modify with a fresh token, then compare.

Nothing is sent to change an entry that does not carry the agent's mark (canary.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from ldaphealth.canary import NAME, TOKEN_ATTRIBUTE, canary_dn, mark, this_agent
from ldaphealth.check import Check, Facts
from ldaphealth.checks.duration import judge_seconds
from ldaphealth.checks.own_entry import NOT_OURS, fresh_token, whose
from ldaphealth.model import Effect, Finding, Role, State, Trust
from ldaphealth.thresholds import Thresholds, at_most

if TYPE_CHECKING:
    from ldaphealth.history import View
    from ldaphealth.session import Session


class Params(Struct, frozen=True):
    """Settings of the check. The canaries are below `container`, which must exist."""

    container: Annotated[str, Meta(description="the entry below which the canaries are")]
    agent: Annotated[str, Meta(description="this agent's name; empty: the host's")] = ""
    seconds: Annotated[Thresholds, Meta(description="the time of the whole round trip")] = at_most(
        0.5, 2.0
    )

    def __post_init__(self) -> None:
        if self.agent and not NAME.fullmatch(self.agent):
            raise ValueError("agent is a name of letters, digits, dot, dash and underscore")


def observe(session: Session, params: Params) -> Facts:
    """Write and compare, if the entry is ours. A consumer takes no writes and gets none."""
    if session.server.role is Role.CONSUMER:
        return {"canary": "not_applicable"}
    agent = params.agent or this_agent()
    dn = canary_dn(params.container, agent, session.server)
    found = whose(session, dn, mark(agent, session.server))
    if found != "ours":
        return {"canary": found, "dn": dn}
    token = fresh_token()
    session.replace(dn, TOKEN_ATTRIBUTE, token)
    return {"canary": "ours", "dn": dn, "matched": session.compare(dn, TOKEN_ATTRIBUTE, token)}


def judge(view: View, params: Params) -> Iterable[Finding]:
    """Judge whether the token is there, and the time. No canary says nothing of the server."""
    facts = view.latest.facts
    dn = facts.get("dn")
    match facts["canary"]:
        case "not_applicable":
            yield view.finding(State.OK, "not_applicable", "a consumer takes no writes")
        case "missing" | "foreign":
            code, summary = NOT_OURS[str(facts["canary"])]
            yield view.finding(State.UNKNOWN, code, summary.format(dn), trust=Trust.OURS)
        case _:
            if not facts["matched"]:
                summary = f"what was written to {dn} a moment ago is not there"
                yield view.finding(State.CRITICAL, "lost", summary)
            yield from judge_seconds(view, params.seconds)


CHECK = Check("write", Params, observe, judge, Effect.OUT)
