"""A search below cn=Monitor (slapd-monitor(5)), and why it may find nothing to read.

The checks monitor, resources and consumer share it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ldaphealth.check import AnyView
from ldaphealth.judging.judge import HARD_RESULT_CODES
from ldaphealth.ldap.deadline import SessionError
from ldaphealth.model import BindMethod, FailureKind, Finding, State, Trust
from ldaphealth.text.printable import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ldaphealth.ldap.codec import Entry, Scope
    from ldaphealth.ldap.session import Session

# Whether entries can be read, there is no monitor database, or the account has no right to it.
MonitorAccess = Literal["read", "none", "denied"]

DENIED_RESULT_CODES = frozenset({"noSuchObject", "insufficientAccessRights"})


def search_monitor(
    session: Session, base: str, scope: Scope, filter_text: str, attributes: Sequence[str]
) -> tuple[MonitorAccess, tuple[Entry, ...]]:
    """Return the entries found, or why there are none; SessionError for other failures.

    slapd answers noSuchObject without a monitor database and without a right to it. The root DSE
    tells the two apart: it has monitorContext where there is one.
    """
    try:
        return "read", session.search(base, scope, filter_text, attributes)
    except SessionError as error:
        failure = error.failure
        if failure.kind is not FailureKind.RESULT or failure.result_code in HARD_RESULT_CODES:
            raise
        if not _has_monitor(session):
            return "none", ()
        if failure.result_code not in DENIED_RESULT_CODES:
            raise
        return "denied", ()


def _has_monitor(session: Session) -> bool:
    found = session.search("", "base", "(objectClass=*)", ("monitorContext",))
    return any(attributes.get("monitorcontext") for _, attributes in found)


def no_monitor_finding(view: AnyView, access: MonitorAccess) -> Finding:
    """Return the finding on a server whose cn=Monitor cannot be read."""
    if access == "none":
        summary = "the server has no monitor database: its root DSE has no monitorContext"
        return view.finding(State.OK, "not_applicable", summary)
    credentials = view.server.credentials
    who = {
        BindMethod.SIMPLE: f'dn.exact="{printable(credentials.dn)}"',
        BindMethod.EXTERNAL: "users",
    }.get(credentials.method, "anonymous")
    summary = (
        "cn=Monitor cannot be read: give the account the right, in slapd for example "
        f'olcAccess: to dn.subtree="cn=Monitor" by {who} read'
    )
    return view.finding(State.UNKNOWN, "no_access", summary, trust=Trust.LOCAL)
