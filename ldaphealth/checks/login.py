"""A login as applications do it: find the user, bind as that user, and read what the user may read.

It finds a server on which users cannot log in, while the account of the agent can.

The user is found on the session of the server. A second session binds with the password of the
`credentials`, asks "Who am I?" (RFC 4532) if the server knows it, reads `attributes` and
compares `group`. The password is tried once in a round, and after a refusal not before
`retry_after_seconds` of the credentials (ldap/accounts.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta, Struct
from msgspec.structs import replace

from ldaphealth.check import Check, Login, View
from ldaphealth.checks.account import (
    DAYS_LEFT,
    DAYS_LEFT_METRIC,
    AccountFacts,
    judge_account,
    observe_account,
)
from ldaphealth.judging.thresholds import SECONDS_OF_A_ROUND, Thresholds, at_most
from ldaphealth.ldap.deadline import SessionError
from ldaphealth.ldap.names import DN, NO_ATTRIBUTES, AttributeName, is_same_dn
from ldaphealth.ldap.password_policy import LONGEST_SENTENCE
from ldaphealth.ldap.search_filter import Filter
from ldaphealth.model import CheckEffect, Credentials, Finding, State, Trust
from ldaphealth.text.printable import printable

if TYPE_CHECKING:
    from ldaphealth.ldap.session import Session

OF_DN = "dn:"  # an authzId that is a DN, RFC 4513 5.2.1.8
LONGEST_DN = 300  # characters of one that is shown
MOST_FOUND = 2  # entries: there must not be a second one
FIND, BIND, REST = "find", "bind", "rest"  # the steps with thresholds
NO_SUCH_OBJECT = "noSuchObject"

Membership = Literal["", "member", "no_member", "no_group"]  # "": not compared

# The codes of expectations that are not met, and their sentences.
SENTENCES = {
    "no_user": "the filter {filter} below {base!r} finds no user: the entry is missing, or the "
    "account of the server has no right to search for it",
    "several_users": "the filter {filter} below {base!r} finds several entries, and a login needs "
    "exactly one; narrow the filter or `base`",
    "other_user": "the filter finds {dn}, and the credentials are those of {configured_dn}; "
    "correct `filter`, or `dn` of the credentials",
    "identity": "after the bind as {dn} the server takes the session for {identity}",
    "unreadable": "{dn} cannot read {unreadable} of its entry: no value, or no right to read it",
    "no_member": "{dn} finds no {member_attribute}: {value} in {group}: the user is no member, or "
    "has no right to compare",
    "no_group": "{dn} finds no group {group}: it is missing, or the user has no right to see it",
}


class Params(Struct, frozen=True, kw_only=True):
    """Settings of the check."""

    filter: Annotated[
        Filter,
        Meta(
            description="a filter that finds the user, such as `(uid=monitor)`; exactly one entry "
            "must match"
        ),
    ]
    base: Annotated[
        DN, Meta(description="where to search, with all entries below; empty: the suffix")
    ] = DN("")
    attributes: Annotated[
        tuple[AttributeName, ...],
        Meta(max_length=64, description="the user must be able to read these of the own entry"),
    ] = ()
    group: Annotated[
        DN, Meta(description="the user must find to be a member of this group; empty: of none")
    ] = DN("")
    member_attribute: Annotated[
        AttributeName, Meta(description="the attribute of the group with its members")
    ] = AttributeName("member")
    member_value: Annotated[
        str,
        Meta(
            description="the value of it for the user, such as a user name in `memberUid`; empty: "
            "the DN"
        ),
    ] = ""
    find_seconds: Annotated[
        Thresholds, Meta(description="the time to find the user", extra=SECONDS_OF_A_ROUND)
    ] = at_most(0.5, 2.0)
    bind_seconds: Annotated[
        Thresholds, Meta(description="the time of the bind as the user", extra=SECONDS_OF_A_ROUND)
    ] = at_most(1.0, 3.0)
    rest_seconds: Annotated[
        Thresholds,
        Meta(
            description="the time of all other steps of the second session, from connect to unbind",
            extra=SECONDS_OF_A_ROUND,
        ),
    ] = at_most(1.0, 3.0)
    password_days_left: Annotated[
        Thresholds,
        Meta(description="the days until the user's password expires, if the server says so"),
    ] = DAYS_LEFT
    password_policy: Annotated[
        DN, Meta(description="as `password_policy` of the check `bind`, for the user")
    ] = DN("")

    def __post_init__(self) -> None:
        if not self.filter:
            raise ValueError("filter must not be empty")
        if not self.member_attribute:
            raise ValueError("member_attribute must not be empty")
        if self.member_value and not self.group:
            raise ValueError("member_value needs group, the entry that must hold it")


class Facts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the steps showed, as far as they went.

    `found` is the number of entries, 2 for more; `dn` is the one. `configured_dn` is the `dn` of
    the credentials if that is another entry. `identity` is the authzId of the second session if it
    is not the user. `unreadable` are attributes that the user could not read. Texts are safe to
    print.
    """

    found: int
    dn: str = ""
    configured_dn: str = ""
    account: AccountFacts = AccountFacts()
    identity: str | None = None
    unreadable: tuple[str, ...] = ()
    membership: Membership = ""


def observe_as(session: Session, login: Login, params: Params) -> Facts:
    """Find the user, and log in as that user. It ends at the first step that makes it pointless."""
    base = params.base or session.server.suffix
    found = session.search(base, "sub", params.filter, (NO_ATTRIBUTES,), MOST_FOUND)
    session.timings = {FIND: session.timings.get("search", 0.0)}
    if len(found) != 1:
        return Facts(found=len(found))
    dn = found[0][0]
    if login.dn and not is_same_dn(dn, login.dn):
        return Facts(found=1, dn=printable(dn, LONGEST_DN), configured_dn=login.dn)
    with login.session(dn) as second:
        try:
            return _as_user(second, dn, params)
        finally:
            session.timings |= second.timings


def _as_user(second: Session, dn: str, params: Params) -> Facts:
    account = observe_account(second, params.password_policy)
    facts = Facts(found=1, dn=printable(dn, LONGEST_DN), account=account)
    if account.must_change:  # the server refuses all that follows
        return facts
    facts = replace(
        facts,
        identity=_other_identity(second.who_am_i(), dn),
        unreadable=_unreadable(second, dn, params.attributes),
        membership=_membership(second, params.member_value or dn, params),
    )
    second.unbind()
    return facts


def _other_identity(identity: str | None, dn: str) -> str | None:
    """Return an authzId that is not that of the user, None if it may be.

    The name of a user, `u:`, cannot be compared with a DN (RFC 4513 5.2.1.8).
    """
    if identity is None:
        return None
    if identity.startswith(OF_DN):
        is_other = not is_same_dn(identity.removeprefix(OF_DN), dn)
    else:
        is_other = not identity
    return printable(identity, LONGEST_DN) if is_other else None


def _unreadable(second: Session, dn: str, attributes: Sequence[str]) -> tuple[str, ...]:
    """Return the attributes without a value for the user, or all if the entry is hidden.

    Those that are not among several may have come back under another name; they are read alone.
    """
    if not attributes:
        return ()
    try:
        entry = second.read(dn, attributes)
        missing = [each for each in attributes if not entry.get(each)]
        if len(attributes) > 1:
            missing = [each for each in missing if not second.read(dn, (each,)).get(each)]
    except SessionError as error:
        if error.failure.result_code != NO_SUCH_OBJECT:
            raise
        return (*attributes,)
    return (*missing,)


def _membership(second: Session, value: str, params: Params) -> Membership:
    if not params.group:
        return ""
    try:
        is_member = second.compare(params.group, params.member_attribute, value)
    except SessionError as error:
        if error.failure.result_code != NO_SUCH_OBJECT:
            raise
        return "no_group"
    return "member" if is_member else "no_member"


def judge(view: View[Facts], params: Params) -> Iterable[Finding]:
    """Judge what was found, the account, and the time of each step."""
    facts = view.facts
    for code in _unmet(facts):
        summary = printable(SENTENCES[code].format_map(_words(view, params)), LONGEST_SENTENCE)
        yield view.finding(State.CRITICAL, code, summary, trust=Trust.EXPECTATION)
    configured = view.configured and view.configured.credentials
    credentials = replace(configured or Credentials(), dn=facts.dn)
    yield from judge_account(view, facts.account, credentials, params.password_days_left)
    yield from _judge_times(view, params)


def _unmet(facts: Facts) -> Iterator[str]:
    """Yield the code of each expectation that is not met."""
    if facts.found != 1:
        yield "several_users" if facts.found else "no_user"
    if facts.configured_dn:
        yield "other_user"
    if facts.identity is not None:
        yield "identity"
    if facts.unreadable:
        yield "unreadable"
    if facts.membership in SENTENCES:
        yield facts.membership


def _words(view: View[Facts], params: Params) -> dict[str, str]:
    """Return what stands in the sentences."""
    facts = view.facts
    return {
        "filter": params.filter,
        "base": params.base or view.server.suffix,
        "dn": facts.dn,
        "configured_dn": facts.configured_dn,
        "identity": facts.identity or "anonymous",
        "unreadable": ", ".join(facts.unreadable),
        "member_attribute": params.member_attribute,
        "group": params.group,
        "value": params.member_value or facts.dn,
    }


def _judge_times(view: View[Facts], params: Params) -> Iterator[Finding]:
    """Yield a finding on each step that was slow, else one on all; it names what took longest."""
    timings = view.latest.timings
    rest = {step: each for step, each in timings.items() if step not in (FIND, BIND)}
    parts = (
        (FIND, "to find the user", timings.get(FIND), params.find_seconds),
        (BIND, "the bind as the user", timings.get(BIND), params.bind_seconds),
        (REST, _slowest(rest), sum(rest.values()) if rest else None, params.rest_seconds),
    )
    taken = [(name, what, each, limits) for name, what, each, limits in parts if each is not None]
    is_slow = False
    for name, what, seconds, limits in taken:
        state = limits.state(seconds)
        if state is not State.OK:
            is_slow = True
            limit = limits.critical if state is State.CRITICAL else limits.warning
            summary = f"{view.check}: {what} took {seconds:.3f} s, more than {limit} s"
            yield view.finding(
                state, "slow", summary, (limits.metric(f"{view.check}_{name}_seconds", seconds),)
            )
    if not is_slow:
        metrics = tuple(
            limits.metric(f"{view.check}_{name}_seconds", seconds)
            for name, _, seconds, limits in taken
        )
        each = ", ".join(f"{name} {seconds:.3f} s" for name, _, seconds, _ in taken)
        total = sum(timings.values())
        yield view.finding(State.OK, "ok", f"{view.check} took {total:.3f} s ({each})", metrics)


def _slowest(rest: dict[str, float]) -> str:
    """Return how a sentence names the rest of the steps."""
    if not rest:
        return ""
    step = max(rest, key=lambda each: rest[each])
    return f"the rest, of which `{step}` was {rest[step]:.3f} s,"


CHECK = Check(
    name="login",
    params=Params,
    facts=Facts,
    observe_as=observe_as,
    judge=judge,
    newest=1,
    judged_metrics={
        **{f"{step}_seconds": (f"{{check}}_{step}_seconds",) for step in (FIND, BIND, REST)},
        "password_days_left": (DAYS_LEFT_METRIC,),
    },
    effect=CheckEffect.OUT,
)
