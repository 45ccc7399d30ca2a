"""The unbind of the session (RFC 4511 4.3); its time is judged.

Every session has this step, so a cluster can change its thresholds but not leave it out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from ldaphealth.check import Check, View
from ldaphealth.checks.duration import SECONDS_METRIC, judge_seconds
from ldaphealth.judging.thresholds import SECONDS_OF_A_ROUND, Thresholds, at_most
from ldaphealth.model import CheckEffect, Finding

if TYPE_CHECKING:
    from ldaphealth.ldap.session import Session


class Params(Struct, frozen=True):
    """Settings of the check."""

    seconds: Annotated[
        Thresholds, Meta(description="the time of the unbind", extra=SECONDS_OF_A_ROUND)
    ] = at_most(1.0, 3.0)


class Facts(Struct, frozen=True):
    """Empty: only the time of the step is observed."""


def observe(session: Session, _: Params) -> Facts:
    """Unbind."""
    session.unbind()
    return Facts()


def judge(view: View[Facts], params: Params) -> Iterable[Finding]:
    """Judge the time."""
    return judge_seconds(view, params.seconds)


CHECK = Check(
    name="unbind",
    params=Params,
    facts=Facts,
    observe=observe,
    judge=judge,
    newest=1,
    judged_metrics={"seconds": (SECONDS_METRIC,)},
    effect=CheckEffect.WATCH,
    bound_because="every session has this step",
)
