"""What a server says of the account that has just bound: facts and findings for several checks.

The account is the same at all servers, so such a finding is only informative.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec import Struct

from ldaphealth.check import View
from ldaphealth.checks.password_age import read_expiry
from ldaphealth.clocks import DAY_SECONDS, EpochSeconds, epoch_seconds
from ldaphealth.judging.thresholds import Range, Thresholds
from ldaphealth.ldap.deadline import SessionError
from ldaphealth.ldap.password_policy import (
    CAUSES,
    NOTHING,
    account_sentence,
    expiry_sentence,
    grace_sentence,
)
from ldaphealth.model import BindMethod, Credentials, F, Finding, State, Trust
from ldaphealth.text.duration import duration

if TYPE_CHECKING:
    from ldaphealth.ldap.session import Session

DAYS_LEFT_METRIC = "{check}_password_days_left"
DAYS_LEFT = Thresholds(Range(start=14))  # until the password expires


class AccountFacts(Struct, frozen=True, kw_only=True, omit_defaults=True):
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


def observe_account(session: Session, policy_dn: str) -> AccountFacts:
    """Return what the server said of the account when the session bound.

    Once an hour, read when the password expires, if the server did not say anything; `policy_dn` is
    the policy of an account that names none.
    """
    answer = session.policy
    name = "" if answer.cause is None else answer.cause.name
    now = epoch_seconds()
    expires = None if answer.expires_seconds is None else now + answer.expires_seconds
    if answer == NOTHING and session.server.credentials.method is BindMethod.SIMPLE:
        expires = session.accounts.expiry(session.server, lambda: _expiry(session, policy_dn))
    return AccountFacts(
        expires_epoch_seconds=expires,
        observed_epoch_seconds=None if expires is None else now,
        grace_logins=answer.grace_logins,
        has_expired=name == "expired",
        must_change=name == "must_change",
    )


def _expiry(session: Session, policy: str) -> EpochSeconds | None:
    """Return when the password expires; None if the account may not read that."""
    try:
        return read_expiry(session, policy)
    except SessionError:
        if session.alive:
            return None
        raise
    finally:
        session.timings.pop("search", None)  # it is no part of the bind


def judge_account(
    view: View[F], facts: AccountFacts, credentials: Credentials, days_left: Thresholds
) -> Iterator[Finding]:
    """Yield the findings on the account of these credentials, none if nothing is known of it."""
    if facts.must_change:
        cause = next(each for each in CAUSES if each.name == "must_change")
        summary = account_sentence(cause, credentials)
        yield view.finding(State.CRITICAL, "must_change", summary, trust=Trust.INFORMATIVE)
    if facts.has_expired or facts.grace_logins is not None:
        summary = grace_sentence(facts.grace_logins, credentials)
        yield view.finding(State.WARNING, "grace_logins", summary, trust=Trust.INFORMATIVE)
    expires, observed = facts.expires_epoch_seconds, facts.observed_epoch_seconds
    if expires is not None and observed is not None:
        days = (expires - observed) / DAY_SECONDS
        state = days_left.state(days)
        metric = days_left.metric(DAYS_LEFT_METRIC.format(check=view.check), days)
        when = f"in {duration(expires - observed)}" if days >= 0 else "now"
        if state is State.OK:
            yield view.finding(state, "ok", f"the password expires {when}", (metric,))
        else:
            summary = expiry_sentence(when, credentials)
            yield view.finding(state, "password_expires", summary, (metric,), Trust.INFORMATIVE)
