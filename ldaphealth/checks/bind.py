"""The bind of the session (RFC 4513): its time, and what the server says of the account.

Every session has this step, so a cluster can change its thresholds but not leave it out.

A server that answers the control of draft-behera-ldap-password-policy-11, or those of 389 Directory
Server, says that the password expires soon, has expired or must be changed. Such a finding is only
informative: the account is the same at all servers.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from ldaphealth.check import Check, View
from ldaphealth.checks.account import (
    DAYS_LEFT,
    DAYS_LEFT_METRIC,
    AccountFacts,
    judge_account,
    observe_account,
)
from ldaphealth.checks.duration import SECONDS_METRIC, judge_seconds
from ldaphealth.judging.thresholds import SECONDS_OF_A_ROUND, Thresholds, at_most
from ldaphealth.ldap.names import DN
from ldaphealth.model import CheckEffect, Finding

if TYPE_CHECKING:
    from ldaphealth.ldap.session import Session

Facts = AccountFacts


class Params(Struct, frozen=True):
    """Settings of the check."""

    seconds: Annotated[
        Thresholds, Meta(description="the time of the bind", extra=SECONDS_OF_A_ROUND)
    ] = at_most(1.0, 3.0)
    password_days_left: Annotated[
        Thresholds,
        Meta(description="the days until the password expires, if the server says so"),
    ] = DAYS_LEFT
    password_policy: Annotated[
        DN,
        Meta(
            description="the entry with `pwdMaxAge` for an account that names none in "
            "`pwdPolicySubentry`, as `ppolicy_default` of slapo-ppolicy(5)"
        ),
    ] = DN("")


def observe(session: Session, params: Params) -> Facts:
    """Bind. Once an hour, read when the password expires, if the server does not say anything."""
    session.bind()
    return observe_account(session, params.password_policy)


def judge(view: View[Facts], params: Params) -> Iterable[Finding]:
    """Judge the time, and what the server says of the account."""
    yield from judge_seconds(view, params.seconds)
    yield from judge_account(view, view.facts, view.server.credentials, params.password_days_left)


CHECK = Check(
    name="bind",
    params=Params,
    facts=Facts,
    observe=observe,
    judge=judge,
    newest=1,
    judged_metrics={"seconds": (SECONDS_METRIC,), "password_days_left": (DAYS_LEFT_METRIC,)},
    effect=CheckEffect.OUT,
    bound_because="every session has this step",
)
