"""The bind of the session (RFC 4513): its time, and what the server says of the account.

Every session has this step, so a cluster can change its thresholds but not leave it out.

A server that answers the control of draft-behera-ldap-password-policy-11, or those of 389 Directory
Server, says that the password expires soon, has expired or must be changed. Such a finding is only
informative: the account is the same at all servers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from ldaphealth.check import Check, View
from ldaphealth.checks.duration import judge_seconds
from ldaphealth.judging.thresholds import SECONDS_OF_A_ROUND, Range, Thresholds, at_most
from ldaphealth.ldap.password_policy import (
    CAUSES,
    account_sentence,
    expiry_sentence,
    grace_sentence,
)
from ldaphealth.model import CheckEffect, Finding, State, Trust
from ldaphealth.text.duration import duration

if TYPE_CHECKING:
    from ldaphealth.ldap.session import Session

DAY_SECONDS = 86400.0


class Params(Struct, frozen=True):
    """Settings of the check."""

    seconds: Annotated[
        Thresholds, Meta(description="the time of the bind", extra=SECONDS_OF_A_ROUND)
    ] = at_most(1.0, 3.0)
    password_days_left: Annotated[
        Thresholds,
        Meta(description="the days until the password expires, if the server says so"),
    ] = Thresholds(Range(start=14))


class Facts(Struct, frozen=True, omit_defaults=True):
    """What the server says of the account; None or "" if it says nothing.

    `expires_seconds`: until the password expires. `grace_logins`: so many more binds are accepted
    though it has expired. `must_change`: until then the account can do nothing else.
    """

    expires_seconds: int | None = None
    grace_logins: int | None = None
    has_expired: bool = False
    must_change: bool = False


def observe(session: Session, _: Params) -> Facts:
    """Bind."""
    answer = session.bind()
    name = "" if answer.cause is None else answer.cause.name
    return Facts(
        answer.expires_seconds, answer.grace_logins, name == "expired", name == "must_change"
    )


def judge(view: View[Facts], params: Params) -> Iterable[Finding]:
    """Judge the time, and what the server says of the account."""
    yield from judge_seconds(view, params.seconds)
    yield from _judge_account(view, params)


def _judge_account(view: View[Facts], params: Params) -> Iterator[Finding]:
    facts, credentials, uri = view.facts, view.server.credentials, view.server.uri
    if facts.must_change:
        cause = next(each for each in CAUSES if each.name == "must_change")
        summary = account_sentence(cause, credentials, uri)
        yield view.finding(State.CRITICAL, "must_change", summary, trust=Trust.INFORMATIVE)
    if facts.has_expired or facts.grace_logins is not None:
        summary = grace_sentence(facts.grace_logins, credentials, uri)
        yield view.finding(State.WARNING, "grace_logins", summary, trust=Trust.INFORMATIVE)
    if facts.expires_seconds is not None:
        days = facts.expires_seconds / DAY_SECONDS
        state = params.password_days_left.state(days)
        metric = params.password_days_left.metric("password_days_left", days)
        if state is State.OK:
            summary = f"the password expires in {duration(facts.expires_seconds)}"
            yield view.finding(state, "ok", summary, (metric,))
        else:
            summary = expiry_sentence(f"in {duration(facts.expires_seconds)}", credentials, uri)
            yield view.finding(state, "password_expires", summary, (metric,), Trust.INFORMATIVE)


CHECK = Check(
    name="bind",
    params=Params,
    facts=Facts,
    observe=observe,
    judge=judge,
    effect=CheckEffect.OUT,
)
