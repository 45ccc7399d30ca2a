"""The time until the server's certificate expires, and that of the client.

The certificate is that of the session, by LDAPS or StartTLS. If it is not trusted, has expired or
lacks the name of the server, the handshake and so `connect` fail. The client certificate is that in
`certificate_file`; servers that require it will refuse the agent. A finding of this check is only
informative, whatever the effect: it depends on the time of day of this host, which may be wrong.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta, Struct

from ldaphealth.check import Check, View
from ldaphealth.clocks import DAY_SECONDS, epoch_seconds
from ldaphealth.judging.thresholds import Range, Thresholds
from ldaphealth.model import Finding, State, Trust
from ldaphealth.text.printable import printable
from ldaphealth.text.quantity import quantity

if TYPE_CHECKING:
    from ldaphealth.ldap.session import Session

MOST_NAMES, LONGEST_NAME = 8, 80


class Params(Struct, frozen=True):
    """Settings of the check."""

    days_left: Annotated[
        Thresholds,
        Meta(description="the days until the certificate of the server, or of the client, expires"),
    ] = Thresholds(Range(start=21), Range(start=7))


class Facts(Struct, frozen=True, omit_defaults=True):
    """The certificate of the handshake: its names, its expiry, and the time of the observation.

    The expiry is None unless the certificate was verified. That of the client is the earliest in
    `certificate_file`, None without one. Times are seconds since the epoch.
    """

    certificate: Literal["none", "not_verified", "verified"]
    names: tuple[str, ...] = ()
    expires_epoch_seconds: float | None = None
    observed_epoch_seconds: float | None = None
    client_expires_epoch_seconds: float | None = None


def observe(session: Session, _: Params) -> Facts:
    """Return the facts of the certificate of the session; nothing is sent."""
    presented = session.certificate()
    if presented is None:
        return Facts("none")
    expires = presented.expires_epoch_seconds
    return Facts(
        "not_verified" if expires is None else "verified",
        tuple(printable(name, LONGEST_NAME) for name in presented.names[:MOST_NAMES]),
        expires,
        epoch_seconds(),
        presented.client_expires_epoch_seconds,
    )


NOT_APPLICABLE = {
    "none": "no TLS, so there is no certificate",
    "not_verified": "not checked, because certificates are not verified",
    "verified": "no certificate was seen",
}


def judge(view: View[Facts], params: Params) -> Iterable[Finding]:
    """Compare the expiry of both certificates with the time of the observation."""
    facts = view.facts
    expires, observed = facts.expires_epoch_seconds, facts.observed_epoch_seconds
    if expires is None or observed is None:
        yield view.finding(State.OK, "not_applicable", NOT_APPLICABLE[facts.certificate])
    else:
        subject = f" of {', '.join(facts.names)}" if facts.names else ""
        days = (expires - observed) / DAY_SECONDS
        metric = params.days_left.metric("days_left", days)
        summary = f"the certificate{subject} {expiry_text(days)}"
        state = params.days_left.state(days)
        if state is State.OK:
            yield view.finding(state, "ok", summary, (metric,))
        else:
            yield view.finding(state, "expires", summary, (metric,), Trust.INFORMATIVE)
    if observed is not None and facts.client_expires_epoch_seconds is not None:
        days = (facts.client_expires_epoch_seconds - observed) / DAY_SECONDS
        yield from _client_expires(view, params, days)


def _client_expires(view: View[Facts], params: Params, days: float) -> Iterable[Finding]:
    """Yield a finding if the client certificate expires soon. It is the same on all servers."""
    state = params.days_left.state(days)
    if state is not State.OK:
        summary = (
            f"the client certificate in {view.server.tls.certificate_file} {expiry_text(days)}"
        )
        metric = params.days_left.metric("client_days_left", days)
        yield view.finding(state, "client_expires", summary, (metric,), Trust.INFORMATIVE)


def expiry_text(days: float) -> str:
    """Return when a certificate expires in so many days, negative for days ago."""
    shown = quantity(round(abs(days)), "day")
    return f"expires in {shown}" if days >= 0 else f"expired {shown} ago"


CHECK = Check(
    name="certificate",
    params=Params,
    facts=Facts,
    observe=observe,
    judge=judge,
    newest=1,
    bound_because="it sees the certificate of the session",
)
