"""A compare on a value that is known to be there (RFC 4511 4.10).

Cheaper than a search and answered by one word: compareTrue is the only good one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from ldaphealth.check import Check, Facts, View
from ldaphealth.checks.duration import judge_seconds
from ldaphealth.judging.thresholds import Thresholds, at_most
from ldaphealth.model import Finding, State
from ldaphealth.text.printable import printable

if TYPE_CHECKING:
    from ldaphealth.ldap.session import Session


class Params(Struct, frozen=True):
    """Settings of the check: the entry, and what it must hold."""

    dn: Annotated[str, Meta(description="the entry")]
    attribute: Annotated[str, Meta(description="the attribute")]
    value: Annotated[str, Meta(description="the value that the entry must hold")]
    seconds: Annotated[Thresholds, Meta(description="the time of the compare")] = at_most(0.5, 2.0)


def observe(session: Session, params: Params) -> Facts:
    """Compare."""
    return {"true": session.compare(params.dn, params.attribute, params.value)}


def judge(view: View, params: Params) -> Iterable[Finding]:
    """Judge the answer and its time."""
    if not view.latest.facts["true"]:
        summary = printable(f"{params.dn} does not hold {params.attribute}: {params.value}")
        yield view.finding(State.CRITICAL, "compareFalse", summary)
    yield from judge_seconds(view, params.seconds)


CHECK = Check("compare", Params, observe, judge)
