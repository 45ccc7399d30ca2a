"""A compare with a value that the entry is known to hold (RFC 4511 4.10).

It is cheaper than a search; the result must be compareTrue.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct, field

from ldaphealth.check import Check, View
from ldaphealth.checks.duration import SECONDS_METRIC, judge_seconds
from ldaphealth.judging.thresholds import SECONDS_OF_A_ROUND, Thresholds, at_most
from ldaphealth.ldap.names import DN, AttributeName
from ldaphealth.model import Finding, State, Trust
from ldaphealth.text.printable import printable

if TYPE_CHECKING:
    from ldaphealth.ldap.session import Session


class Params(Struct, frozen=True):
    """Settings of the check: the entry, and the value that it must hold."""

    dn: Annotated[DN, Meta(description="the entry")]
    attribute: Annotated[AttributeName, Meta(description="the attribute")]
    value: Annotated[str, Meta(description="the value that the entry must hold")]
    seconds: Annotated[
        Thresholds, Meta(description="the time of the compare", extra=SECONDS_OF_A_ROUND)
    ] = at_most(0.5, 2.0)

    def __post_init__(self) -> None:
        if not (self.attribute and self.value):
            raise ValueError("attribute and value must not be empty")


class Facts(Struct, frozen=True):
    """Whether the entry holds the value."""

    is_true: bool = field(name="true")


def observe(session: Session, params: Params) -> Facts:
    """Compare."""
    return Facts(session.compare(params.dn, params.attribute, params.value))


def judge(view: View[Facts], params: Params) -> Iterable[Finding]:
    """Judge the result and the time."""
    if not view.facts.is_true:
        summary = printable(f"{params.dn} does not hold {params.attribute}: {params.value}")
        yield view.finding(State.CRITICAL, "compareFalse", summary, trust=Trust.EXPECTATION)
    yield from judge_seconds(view, params.seconds)


CHECK = Check(
    name="compare",
    params=Params,
    facts=Facts,
    observe=observe,
    judge=judge,
    newest=1,
    judged_metrics={"seconds": (SECONDS_METRIC,)},
)
