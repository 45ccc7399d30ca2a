"""How long the certificate that the server presented is still valid, before clients refuse it.

It is the one of the session itself, by LDAPS or StartTLS. That it is trusted and carries the name
of the server was found by the handshake; `connect` fails where it is not, and where it has expired.
So this is only told, whatever the effect: it rests on the time of day here, which may be wrong.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta, Struct

from ldaphealth.check import Check, View
from ldaphealth.clocks import epoch_seconds
from ldaphealth.judging.thresholds import Range, Thresholds
from ldaphealth.model import Finding, State, Trust
from ldaphealth.text.printable import printable

if TYPE_CHECKING:
    from ldaphealth.ldap.session import Session

DAY_SECONDS = 86400.0
MOST_NAMES, LONGEST_NAME = 8, 80


class Params(Struct, frozen=True):
    """Settings of the check."""

    days_left: Annotated[
        Thresholds, Meta(description="the days until the server's certificate expires")
    ] = Thresholds(Range(start=21), Range(start=7))


class Facts(Struct, frozen=True, omit_defaults=True):
    """The certificate of the handshake: its names, its end, and the time of day at that moment.

    Both times are seconds since the epoch; there are none unless the certificate was verified.
    """

    certificate: Literal["none", "not_verified", "verified"]
    names: tuple[str, ...] = ()
    expires_epoch_seconds: float | None = None
    observed_epoch_seconds: float | None = None


def observe(session: Session, _: Params) -> Facts:
    """Read what the handshake left; nothing is sent."""
    presented = session.certificate()
    if presented is None:
        return Facts("none")
    if presented.expires_epoch_seconds is None:
        return Facts("not_verified")
    names = tuple(printable(name, LONGEST_NAME) for name in presented.names[:MOST_NAMES])
    return Facts("verified", names, presented.expires_epoch_seconds, epoch_seconds())


NOT_APPLICABLE = {
    "none": "no TLS, so there is no certificate",
    "not_verified": "not looked at, because certificates are not verified here",
    "verified": "no certificate was seen",
}


def judge(view: View[Facts], params: Params) -> Iterable[Finding]:
    """Compare the end of the certificate with the time of day that the facts carry."""
    facts = view.facts
    expires, observed = facts.expires_epoch_seconds, facts.observed_epoch_seconds
    if expires is None or observed is None:
        yield view.finding(State.OK, "not_applicable", NOT_APPLICABLE[facts.certificate])
        return
    days = (expires - observed) / DAY_SECONDS
    state = params.days_left.state(days)
    metric = params.days_left.metric("days_left", days)
    names = ", ".join(facts.names)
    summary = f"the certificate of {names or 'no name'} expires in {days:.0f} days"
    if days < 0:
        summary = f"the certificate of {names or 'no name'} expired {-days:.0f} days ago"
    if state is State.OK:
        yield view.finding(state, "ok", summary, (metric,))
    else:
        yield view.finding(state, "expires", summary, (metric,), Trust.INFORMATIVE)


CHECK = Check(name="certificate", params=Params, facts=Facts, observe=observe, judge=judge)
