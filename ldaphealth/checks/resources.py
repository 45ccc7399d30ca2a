"""What a server may run out of: database pages, connections, readers, threads (slapd-monitor(5)).

A full MDB database refuses every write, and a server without descriptors every client; both come
slowly and can be seen before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from ldaphealth.check import Check, Facts, View
from ldaphealth.judging.thresholds import Range, Thresholds, at_most
from ldaphealth.model import Finding, State, Trust
from ldaphealth.text.printable import printable

if TYPE_CHECKING:
    from ldaphealth.ldap.session import Session

BASE = "cn=Monitor"
CONNECTIONS, DESCRIPTORS = "cn=current,cn=connections", "cn=max file descriptors,cn=connections"
PENDING = "cn=pending,cn=threads"
FILTER = (
    "(|(objectClass=olmMDBDatabase)"
    "(&(objectClass=monitorCounterObject)(|(cn=Current)(cn=Max File Descriptors)))"
    "(&(objectClass=monitoredObject)(cn=Pending)))"
)
ATTRIBUTES = (
    "monitorCounter",
    "monitoredInfo",
    "namingContexts",
    "olmMDBPagesMax",
    "olmMDBPagesUsed",
    "olmMDBPagesFree",
    "olmMDBReadersMax",
    "olmMDBReadersUsed",
)
MAX_DIGITS = 20  # of a number of 64 bits
LASTING = 3  # reads in a row: a moment with waiting operations is ordinary


Attributes = Mapping[str, tuple[str, ...]]


class Params(Struct, frozen=True):
    """Settings of the check."""

    database_ratio: Annotated[
        Thresholds, Meta(description="pages in use, of the database's `maxsize`")
    ] = at_most(0.8, 0.95)
    readers_ratio: Annotated[
        Thresholds, Meta(description="reader slots in use, of the database's `maxreaders`")
    ] = at_most(0.8, 0.95)
    connections_ratio: Annotated[
        Thresholds, Meta(description="open connections, of the descriptors that slapd may have")
    ] = at_most(0.8, 0.95)
    pending_operations: Annotated[
        Thresholds, Meta(description="operations that wait for a thread, in three reads in a row")
    ] = Thresholds(warning=Range(end=20))


def observe(session: Session, _: Params) -> Facts:
    """Read the counters; a server without cn=Monitor, or that hides it from us, shows none."""
    found = {dn.lower(): entry for dn, entry in session.search(BASE, "sub", FILTER, ATTRIBUTES)}
    facts: dict[str, object] = {}
    connections, descriptors = (
        _number(_entry(found, dn), "monitorcounter") for dn in (CONNECTIONS, DESCRIPTORS)
    )
    if connections is not None and descriptors:
        facts["connections_ratio"] = connections / descriptors
    pending = _number(_entry(found, PENDING), "monitoredinfo")
    if pending is not None:
        facts["pending_operations"] = pending
    databases = [*_databases(found.values())]
    return facts | {"databases": databases} if databases else facts


def _databases(
    entries: Iterable[Attributes],
) -> Iterator[dict[str, object]]:
    for entry in entries:
        largest, used = _number(entry, "olmmdbpagesmax"), _number(entry, "olmmdbpagesused")
        if not largest or used is None:
            continue
        free = _number(entry, "olmmdbpagesfree") or 0
        seats, taken = _number(entry, "olmmdbreadersmax"), _number(entry, "olmmdbreadersused")
        yield {
            "name": printable(", ".join(entry.get("namingcontexts", ())), 64),
            "database_ratio": max(0, used - free) / largest,
            "readers_ratio": (taken or 0) / seats if seats else 0.0,
        }


def _entry(found: Mapping[str, Attributes], dn: str) -> Attributes:
    return found.get(f"{dn},{BASE.lower()}", {})


def _number(entry: Attributes, name: str) -> int | None:
    text = next(iter(entry.get(name, ())), "")
    if len(text) > MAX_DIGITS or not (text.isascii() and text.isdigit()):
        return None
    return int(text)


def judge(view: View, params: Params) -> Iterable[Finding]:
    """Judge what is used of what there is."""
    facts = view.latest.facts
    if not facts:
        summary = f"nothing can be read below {BASE}: no monitor database, or no right to read it"
        yield view.finding(State.UNKNOWN, "no_access", summary, trust=Trust.LOCAL)
        return
    found = [*_findings(view, params)]
    wrong = [each for each in found if each.state is not State.OK]
    metrics = tuple(metric for each in found for metric in each.metrics)
    yield from wrong
    if not wrong:
        yield view.finding(State.OK, "ok", "nothing is short", metrics)


def _findings(view: View, params: Params) -> Iterator[Finding]:
    facts = view.latest.facts
    databases = facts.get("databases")
    for each in databases if isinstance(databases, (list, tuple)) else ():
        for name, code, what in (
            ("database_ratio", "database_full", "of its database's largest size is in use"),
            ("readers_ratio", "readers", "of its database's reader slots are in use"),
        ):
            limits: Thresholds = getattr(params, name)
            yield _share(view, limits, name, code, float(each[name]), what, str(each["name"]))
    if "connections_ratio" in facts:
        share = float(str(facts["connections_ratio"]))
        what = "of its descriptors are taken by connections"
        yield _share(
            view, params.connections_ratio, "connections_ratio", "connections", share, what
        )
    waited = [
        int(str(seen.facts["pending_operations"]))
        for seen in [*view.mine][-LASTING:]
        if "pending_operations" in seen.facts
    ]
    if waited:
        limits = params.pending_operations
        lasting = min(waited) if len(waited) == LASTING else 0
        state = limits.state(lasting)
        metric = limits.metric("pending_operations", waited[-1])
        summary = f"at least {lasting} operations have been waiting for a thread"
        yield view.finding(state, "threads", summary, (metric,))


def _share(  # noqa: PLR0913, PLR0917  all of one number
    view: View, limits: Thresholds, name: str, code: str, share: float, what: str, label: str = ""
) -> Finding:
    summary = f"{share:.0%} {what}" + (f" ({label})" if label else "")
    metric = limits.metric(name, share, label)
    return view.finding(limits.state(share), code, summary, (metric,))


CHECK = Check("resources", Params, observe, judge)
