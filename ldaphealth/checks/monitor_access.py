"""A search below cn=Monitor (slapd-monitor(5)), and why it may find nothing to read.

The checks monitor, resources, entry_count and consumer share it.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal

from ldaphealth.check import AnyView
from ldaphealth.judging.judge import HARD_RESULT_CODES
from ldaphealth.ldap.deadline import SessionError
from ldaphealth.ldap.flight import SearchRequest
from ldaphealth.ldap.names import ALL_ENTRIES
from ldaphealth.model import FailureKind, Finding, Server, State, Trust

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ldaphealth.ldap.codec import Entry, Scope
    from ldaphealth.ldap.flight import Flight
    from ldaphealth.ldap.session import Session

# Whether entries can be read, there is no monitor database, or the account has no right to it.
MonitorAccess = Literal["read", "none", "denied"]

BASE = "cn=Monitor"
# The entries that the checks resources and entry_count read. One search of the whole tree would be
# less for this host, but slapd makes an entry for each connection that such a search passes: with a
# thousand connections 8 ms of its CPU.
GAUGES: tuple[tuple[str, Scope, str], ...] = (
    (f"cn=Databases,{BASE}", "one", "(objectClass=olmMDBDatabase)"),
    (f"cn=Operations,{BASE}", "one", "(|(cn=Add)(cn=Delete))"),
    (f"cn=Current,cn=Connections,{BASE}", "base", ALL_ENTRIES),
    (f"cn=Max File Descriptors,cn=Connections,{BASE}", "base", ALL_ENTRIES),
    (f"cn=Pending,cn=Threads,{BASE}", "base", ALL_ENTRIES),
)
GAUGES_ATTRIBUTES = (
    "monitorCounter",
    "monitorOpCompleted",
    "monitoredInfo",
    "namingContexts",
    "olmMDBEntries",
    "olmMDBPagesMax",
    "olmMDBPagesUsed",
    "olmMDBPagesFree",
    "olmMDBReadersMax",
    "olmMDBReadersUsed",
)
# Those that travel together: what the entries of cn=Threads count is made more by other requests.
GAUGES_FLIGHT: Flight = tuple(
    SearchRequest(base, scope, filter_text, GAUGES_ATTRIBUTES)
    for base, scope, filter_text in GAUGES
    if "cn=Threads" not in base
)
NO_ACCESS = (
    "cn=Monitor cannot be read: `ldaphealth setup --part rules` prints the access rules that the "
    "account needs"
)
MAX_DIGITS = 20  # of a number of 64 bits
MONITOR_CONTEXT = "monitorcontext"
DENIED_RESULT_CODES = frozenset({"noSuchObject", "insufficientAccessRights"})


def search_monitor(  # noqa: PLR0913  those of a search
    session: Session,
    base: str,
    scope: Scope,
    filter_text: str,
    attributes: Sequence[str],
    *,
    is_always_there: bool = True,
) -> tuple[MonitorAccess, tuple[Entry, ...]]:
    """Return the entries found, or why there are none; SessionError for other failures.

    The same search is done once in a session.

    slapd answers noSuchObject without a monitor database and without a right to it. The root DSE
    distinguishes the two: it has monitorContext where there is one. It is read once in a session,
    and only if nothing was found. `is_always_there`: every monitor database has such entries.
    """
    known = session.known_root_dse
    if known is not None and not known.get(MONITOR_CONTEXT):
        return "none", ()
    try:
        found = session.search_once(base, scope, filter_text, attributes)
        if found or not is_always_there:
            return "read", found
        return ("denied" if _has_monitor(session) else "none"), ()
    except SessionError as error:
        failure = error.failure
        if failure.kind is not FailureKind.RESULT or failure.result_code in HARD_RESULT_CODES:
            raise
        if not _has_monitor(session):
            return "none", ()
        if failure.result_code not in DENIED_RESULT_CODES:
            raise
        return "denied", ()


def search_gauges(session: Session) -> tuple[MonitorAccess, tuple[Entry, ...]]:
    """Return the databases, and the counters of connections, waiting operations, adds and deletes.

    Or why there are none, as `search_monitor` does; SessionError for other failures. An entry that
    is not there, such as a database of another kind, is left out.
    """
    entries: list[Entry] = []
    for base, scope, filter_text in GAUGES:
        is_always_there = scope == "base"
        access, found = search_monitor(
            session, base, scope, filter_text, GAUGES_ATTRIBUTES, is_always_there=is_always_there
        )
        entries += found
    return ("read" if entries else access), (*entries,)


def number(entry: Mapping[str, tuple[str, ...]], name: str) -> int | None:
    """Return the number in an attribute, by its lower-case name; None without one of 64 bits."""
    values = entry.get(name)
    text = values[0] if values else ""
    if len(text) > MAX_DIGITS or not (text.isascii() and text.isdigit()):
        return None
    return int(text)


def _has_monitor(session: Session) -> bool:
    return bool(session.root_dse().get(MONITOR_CONTEXT))


def no_monitor_finding(view: AnyView, access: MonitorAccess) -> Finding:
    """Return the finding on a server whose cn=Monitor cannot be read.

    The right to add is in the summary of the first such server of the cluster.
    """
    if access == "none":
        summary = "the server has no monitor database: its root DSE has no monitorContext"
        return view.finding(State.OK, "not_applicable", summary)
    first = next(filter(partial(_is_denied, view), view.servers), view.server)
    if first.id != view.server.id:
        summary = f"cn=Monitor cannot be read, as on {first.name}"
        return view.finding(State.UNKNOWN, "no_access", summary, trust=Trust.LOCAL)
    return view.finding(State.UNKNOWN, "no_access", NO_ACCESS, trust=Trust.LOCAL)


def _is_denied(view: AnyView, server: Server) -> bool:
    """Return whether the newest observation of a server with the same account was denied."""
    seen = view.observations.get(server.id)
    if not seen or seen[-1].facts is None or server.credentials != view.server.credentials:
        return False
    is_denied: bool = seen[-1].facts.access == "denied"
    return is_denied
