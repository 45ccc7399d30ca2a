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
from ldaphealth.checks.password_age import read_expiry
from ldaphealth.clocks import EpochSeconds, epoch_seconds
from ldaphealth.judging.thresholds import SECONDS_OF_A_ROUND, Range, Thresholds, at_most
from ldaphealth.ldap.deadline import SessionError
from ldaphealth.ldap.names import DN
from ldaphealth.ldap.password_policy import (
    CAUSES,
    NOTHING,
    account_sentence,
    expiry_sentence,
    grace_sentence,
)
from ldaphealth.model import BindMethod, CheckEffect, Finding, State, Trust
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
    password_policy: Annotated[
        DN,
        Meta(
            description="the entry with `pwdMaxAge` for an account that names none in "
            "`pwdPolicySubentry`, as `ppolicy_default` of slapo-ppolicy(5)"
        ),
    ] = DN("")


class Facts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the server says of the account; None or False if it says nothing.

    `expires_epoch_seconds`: when the password expires. Times are seconds since the epoch.
    `grace_logins`: so many more binds are accepted though it has expired. `must_change`: until then
    the account can do nothing else.
    """

    expires_epoch_seconds: float | None = None
    observed_epoch_seconds: float | None = None  # set if the expiry is
    grace_logins: int | None = None
    has_expired: bool = False
    must_change: bool = False


def observe(session: Session, params: Params) -> Facts:
    """Bind. Once an hour, read when the password expires, if the server does not say anything."""
    answer = session.bind()
    name = "" if answer.cause is None else answer.cause.name
    now = epoch_seconds()
    expires = None if answer.expires_seconds is None else now + answer.expires_seconds
    if answer == NOTHING and session.server.credentials.method is BindMethod.SIMPLE:
        expires = session.accounts.expiry(
            session.server, lambda: _read(session, params.password_policy)
        )
    return Facts(
        expires_epoch_seconds=expires,
        observed_epoch_seconds=None if expires is None else now,
        grace_logins=answer.grace_logins,
        has_expired=name == "expired",
        must_change=name == "must_change",
    )


def _read(session: Session, policy: str) -> EpochSeconds | None:
    """Return when the password expires; None if the account may not read that."""
    try:
        return read_expiry(session, policy)
    except SessionError:
        if session.alive:
            return None
        raise
    finally:
        session.timings.pop("search", None)  # it is no part of the bind


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
    expires, observed = facts.expires_epoch_seconds, facts.observed_epoch_seconds
    if expires is not None and observed is not None:
        days = (expires - observed) / DAY_SECONDS
        state = params.password_days_left.state(days)
        metric = params.password_days_left.metric("password_days_left", days)
        when = f"in {duration(expires - observed)}" if days >= 0 else "now"
        if state is State.OK:
            yield view.finding(state, "ok", f"the password expires {when}", (metric,))
        else:
            summary = expiry_sentence(when, credentials, uri)
            yield view.finding(state, "password_expires", summary, (metric,), Trust.INFORMATIVE)


CHECK = Check(
    name="bind",
    params=Params,
    facts=Facts,
    observe=observe,
    judge=judge,
    effect=CheckEffect.OUT,
    bound_because="every session has this step",
)
