"""End the session as a client does (RFC 4511 4.3); the session itself is the check.

A session always has this step, so a cluster can change its thresholds but not leave it out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from ldaphealth.check import Check, Facts, View
from ldaphealth.checks.duration import judge_seconds
from ldaphealth.judging.thresholds import Thresholds, at_most
from ldaphealth.model import CheckEffect, Finding

if TYPE_CHECKING:
    from ldaphealth.ldap.session import Session


class Params(Struct, frozen=True):
    """Settings of the check."""

    seconds: Annotated[Thresholds, Meta(description="the time of the unbind")] = at_most(1.0, 3.0)


def observe(session: Session, _: Params) -> Facts:
    """Do the step; its times are all there is to see."""
    session.unbind()
    return {}


def judge(view: View, params: Params) -> Iterable[Finding]:
    """Judge the time."""
    return judge_seconds(view, params.seconds)


CHECK = Check("unbind", Params, observe, judge, CheckEffect.WATCH)
