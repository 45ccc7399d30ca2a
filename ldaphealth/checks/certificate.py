"""How long the certificate that the server presented is still valid, before clients refuse it.

It is the one of the session itself, by LDAPS or StartTLS. That it is trusted and carries the name
of the server was found by the handshake; `connect` fails where it is not, and where it has expired.
So this is only told, whatever the effect: it rests on the time of day here, which may be wrong.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from ldaphealth.check import Check, Facts, View
from ldaphealth.clocks import epoch_seconds
from ldaphealth.judging.thresholds import Range, Thresholds
from ldaphealth.model import Finding, State, Trust
from ldaphealth.text.printable import printable

if TYPE_CHECKING:
    from ldaphealth.ldap.session import Session

EXPIRES, OBSERVED = "expires_epoch_seconds", "observed_epoch_seconds"
DAY_SECONDS = 86400.0
MOST_NAMES, LONGEST_NAME = 8, 80


class Params(Struct, frozen=True):
    """Settings of the check."""

    days_left: Annotated[
        Thresholds, Meta(description="the days until the server's certificate expires")
    ] = Thresholds(Range(start=21), Range(start=7))


def observe(session: Session, _: Params) -> Facts:
    """Look at what the handshake left; nothing is sent."""
    presented = session.certificate()
    if presented is None:
        return {"certificate": "none"}
    if presented.expires_epoch_seconds is None:
        return {"certificate": "not_verified"}
    names = [printable(name, LONGEST_NAME) for name in presented.names[:MOST_NAMES]]
    return {
        "certificate": "verified",
        "names": names,
        EXPIRES: presented.expires_epoch_seconds,
        OBSERVED: epoch_seconds(),
    }


def judge(view: View, params: Params) -> Iterable[Finding]:
    """Compare the end of the certificate with the time of day that the look carries."""
    facts = view.latest.facts
    expires, observed = facts.get(EXPIRES), facts.get(OBSERVED)
    if not (isinstance(expires, float) and isinstance(observed, float)):
        why = {
            "none": "no TLS, so there is no certificate",
            "not_verified": "not looked at, because certificates are not verified here",
        }
        summary = why.get(str(facts.get("certificate")), "no certificate was seen")
        yield view.finding(State.OK, "not_applicable", summary)
        return
    days = (expires - observed) / DAY_SECONDS
    state = params.days_left.state(days)
    metric = params.days_left.metric("days_left", days)
    shown = facts.get("names")
    names = ", ".join(map(str, shown)) if isinstance(shown, (list, tuple)) else ""
    summary = f"the certificate of {names or 'no name'} expires in {days:.0f} days"
    if days < 0:
        summary = f"the certificate of {names or 'no name'} expired {-days:.0f} days ago"
    if state is State.OK:
        yield view.finding(state, "ok", summary, (metric,))
    else:
        yield view.finding(state, "expires", summary, (metric,), Trust.INFORMATIVE)


CHECK = Check("certificate", Params, observe, judge)
