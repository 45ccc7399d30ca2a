"""A round trip on the agent's own canary: modify with a fresh token, then compare.

Nothing is sent to change an entry that does not carry the agent's mark (canary.py).

What was written the time before proves under which server ID this server writes: the entryCSN of an
entry that holds the token we wrote *here* was made here. Two servers with one server ID lose each
other's changes, and contextCSN cannot show it (docs/replication.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta, Struct

from ldaphealth.check import Check, View
from ldaphealth.checks.canary import NAME, TOKEN_ATTRIBUTE, canary_dn, canary_mark, this_agent
from ldaphealth.checks.duration import judge_seconds
from ldaphealth.checks.own_entry import NOT_OURS, Whose, fresh_token, read_own
from ldaphealth.csn import CSNError, parse
from ldaphealth.judging.thresholds import Thresholds, at_most
from ldaphealth.model import CheckEffect, Finding, Observation, Role, State, Trust
from ldaphealth.text.printable import printable

PROOF = (TOKEN_ATTRIBUTE, "entryCSN")
LONGEST_VALUE = 64
MOST_READS = 8  # of late, in which to look for a proof

if TYPE_CHECKING:
    from ldaphealth.ldap.session import Session


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


class Facts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of the canary, whose entry it is, and what stood in it before.

    `matched`: the compare found the token that was written. `found_token` and `found_csn` are what
    the entry held before, which the round before had written.
    """

    canary: Whose | Literal["not_applicable"]
    dn: str = ""
    matched: bool = False
    token: str = ""
    found_token: str = ""
    found_csn: str = ""


def observe(session: Session, params: Params) -> Facts:
    """Write and compare, if the entry is ours. A consumer takes no writes and gets none."""
    if session.server.role is Role.CONSUMER:
        return Facts(canary="not_applicable")
    agent = params.agent or this_agent()
    dn = canary_dn(params.container, agent, session.server)
    whose, entry = read_own(session, dn, canary_mark(agent, session.server), PROOF)
    if whose != "ours":
        return Facts(canary=whose, dn=dn)
    token = fresh_token()
    session.replace(dn, TOKEN_ATTRIBUTE, token)
    return Facts(
        canary="ours",
        dn=dn,
        matched=session.compare(dn, TOKEN_ATTRIBUTE, token),
        token=token,
        found_token=_shown(entry, TOKEN_ATTRIBUTE),
        found_csn=_shown(entry, "entryCSN"),
    )


def _shown(entry: Mapping[str, tuple[str, ...]], attribute: str) -> str:
    """Return the value of an attribute; what is too long to be ours is cut."""
    return printable("".join(entry.get(attribute.lower(), ())[:1]), LONGEST_VALUE)


def judge(view: View[Facts], params: Params) -> Iterable[Finding]:
    """Judge whether the token is there, and the time. No canary says nothing of the server."""
    facts = view.facts
    match facts.canary:
        case "not_applicable":
            yield view.finding(State.OK, "not_applicable", "a consumer takes no writes")
        case "missing" | "foreign":
            code, summary = NOT_OURS[facts.canary]
            yield view.finding(State.UNKNOWN, code, summary.format(facts.dn), trust=Trust.LOCAL)
        case _:
            if not facts.matched:
                summary = f"what was written to {facts.dn} a moment ago is not there"
                yield view.finding(State.CRITICAL, "lost", summary)
            yield from judge_seconds(view, params.seconds)
            yield from _duplicates(view)


def _duplicates(view: View[Facts]) -> Iterator[Finding]:
    """Tell who else was seen to write under the server ID of this server."""
    mine = _writes_as(view.own)
    if mine is None:
        return
    others = [
        server.partition("/")[2]
        for server, seen in sorted(view.observations.items())
        if server != view.server.id and _writes_as(seen) == mine
    ]
    if others:
        summary = (
            f"writes under server ID {mine:03x}, and so does {', '.join(others)}: changes of one "
            "may be lost on the other; give each its own serverID, unless both names are one "
            "server's"
        )
        yield view.finding(State.CRITICAL, "duplicate_server_id", summary, trust=Trust.INFORMATIVE)


def _writes_as(seen: Sequence[Observation[Facts]]) -> int | None:
    """Return the server ID of the latest write that is proven to have been made at that server.

    Proven is what one round wrote there and a later one found, with the entryCSN that it got.
    """
    latest = [facts for each in seen[-MOST_READS:] if (facts := each.facts) is not None]
    written = {each.token for each in latest if each.token}
    for each in reversed(latest):
        if each.found_token in written:
            try:
                return parse(each.found_csn).sid
            except CSNError:  # no right to read it
                return None
    return None


CHECK = Check(
    name="write",
    params=Params,
    facts=Facts,
    observe=observe,
    judge=judge,
    effect=CheckEffect.OUT,
)
