"""What a server may run out of: database pages, connections, readers, threads (slapd-monitor(5)).

A full MDB database refuses every write, and a server without descriptors every client; both come
slowly and can be seen before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from ldaphealth.check import Check, View
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


class Database(Struct, frozen=True):
    """One MDB database: its naming contexts, and the used parts of its pages and reader slots."""

    name: str
    database_ratio: float
    readers_ratio: float


class Facts(Struct, frozen=True, omit_defaults=True):
    """What is in use; a server without cn=Monitor, or that hides it from the account, shows none.

    `connections_ratio` is the part of the descriptors that slapd may have; `pending_operations`
    are those that wait for a thread.
    """

    connections_ratio: float | None = None
    pending_operations: int | None = None
    databases: tuple[Database, ...] = ()


NOTHING = Facts()


def observe(session: Session, _: Params) -> Facts:
    """Read the counters."""
    found = {dn.lower(): entry for dn, entry in session.search(BASE, "sub", FILTER, ATTRIBUTES)}
    connections, descriptors = (
        _number(_entry(found, dn), "monitorcounter") for dn in (CONNECTIONS, DESCRIPTORS)
    )
    return Facts(
        connections / descriptors if connections is not None and descriptors else None,
        _number(_entry(found, PENDING), "monitoredinfo"),
        tuple(_databases(found.values())),
    )


def _databases(
    entries: Iterable[Attributes],
) -> Iterator[Database]:
    for entry in entries:
        largest, used = _number(entry, "olmmdbpagesmax"), _number(entry, "olmmdbpagesused")
        if not largest or used is None:
            continue
        free = _number(entry, "olmmdbpagesfree") or 0
        seats, taken = _number(entry, "olmmdbreadersmax"), _number(entry, "olmmdbreadersused")
        yield Database(
            name=printable(", ".join(entry.get("namingcontexts", ())), 64),
            database_ratio=max(0, used - free) / largest,
            readers_ratio=(taken or 0) / seats if seats else 0.0,
        )


def _entry(found: Mapping[str, Attributes], dn: str) -> Attributes:
    return found.get(f"{dn},{BASE.lower()}", {})


def _number(entry: Attributes, name: str) -> int | None:
    text = next(iter(entry.get(name, ())), "")
    if len(text) > MAX_DIGITS or not (text.isascii() and text.isdigit()):
        return None
    return int(text)


def judge(view: View[Facts], params: Params) -> Iterable[Finding]:
    """Judge what is used of what there is."""
    if view.facts == NOTHING:
        summary = f"nothing can be read below {BASE}: no monitor database, or no right to read it"
        yield view.finding(State.UNKNOWN, "no_access", summary, trust=Trust.LOCAL)
        return
    found = [*_findings(view, params)]
    wrong = [each for each in found if each.state is not State.OK]
    metrics = tuple(metric for each in found for metric in each.metrics)
    yield from wrong
    if not wrong:
        yield view.finding(State.OK, "ok", "nothing is short", metrics)


def _findings(view: View[Facts], params: Params) -> Iterator[Finding]:
    facts = view.facts
    for each in facts.databases:
        what = "of its database's largest size is in use"
        share = _Share("database_ratio", "database_full", what, params.database_ratio, each.name)
        yield share.finding(view, each.database_ratio)
        what = "of its database's reader slots are in use"
        share = _Share("readers_ratio", "readers", what, params.readers_ratio, each.name)
        yield share.finding(view, each.readers_ratio)
    if facts.connections_ratio is not None:
        what = "of its descriptors are taken by connections"
        share = _Share("connections_ratio", "connections", what, params.connections_ratio)
        yield share.finding(view, facts.connections_ratio)
    yield from _pending(view, params.pending_operations)


class _Share(Struct, frozen=True):
    """A part of what there is: its metric, the reason code, the sentence and the thresholds."""

    name: str
    code: str
    what: str
    limits: Thresholds
    label: str = ""

    def finding(self, view: View[Facts], share: float) -> Finding:
        summary = f"{share:.0%} {self.what}" + (f" ({self.label})" if self.label else "")
        metric = self.limits.metric(self.name, share, self.label)
        return view.finding(self.limits.state(share), self.code, summary, (metric,))


def _pending(view: View[Facts], limits: Thresholds) -> Iterator[Finding]:
    waited = [
        facts.pending_operations
        for seen in [*view.own][-LASTING:]
        if (facts := seen.facts) is not None and facts.pending_operations is not None
    ]
    if waited:
        lasting = min(waited) if len(waited) == LASTING else 0
        metric = limits.metric("pending_operations", waited[-1])
        summary = f"at least {lasting} operations have been waiting for a thread"
        yield view.finding(limits.state(lasting), "threads", summary, (metric,))


CHECK = Check(name="resources", params=Params, facts=Facts, observe=observe, judge=judge)
