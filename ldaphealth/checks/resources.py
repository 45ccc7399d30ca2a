"""Resources of a server: database pages, connections, readers, threads (slapd-monitor(5)).

A full MDB database refuses every write, and a server without descriptors refuses every client. Both
develop slowly, and can be seen before they happen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from ldaphealth.check import Check, View
from ldaphealth.checks.monitor_access import (
    BASE,
    GAUGES_FLIGHT,
    MonitorAccess,
    no_monitor_finding,
    number,
    search_gauges,
)
from ldaphealth.judging.thresholds import NOT_NEGATIVE, SHARE, Range, Thresholds, at_most
from ldaphealth.model import Finding, Server, State
from ldaphealth.text.printable import printable
from ldaphealth.text.quantity import quantity

if TYPE_CHECKING:
    from ldaphealth.ldap.flight import Flight
    from ldaphealth.ldap.session import Session

CONNECTIONS, DESCRIPTORS = "cn=current,cn=connections", "cn=max file descriptors,cn=connections"
PENDING = "cn=pending,cn=threads"
LASTING = 3  # reads in a row: waiting operations in a single read are normal


Attributes = Mapping[str, tuple[str, ...]]


class Params(Struct, frozen=True):
    """Settings of the check."""

    database_ratio: Annotated[
        Thresholds, Meta(description="pages in use, of the database's `maxsize`", extra=SHARE)
    ] = at_most(0.8, 0.95)
    readers_ratio: Annotated[
        Thresholds,
        Meta(description="reader slots in use, of the database's `maxreaders`", extra=SHARE),
    ] = at_most(0.8, 0.95)
    connections_ratio: Annotated[
        Thresholds,
        Meta(description="open connections, of the file descriptors of slapd", extra=SHARE),
    ] = at_most(0.8, 0.95)
    pending_operations: Annotated[
        Thresholds,
        Meta(
            description="operations that wait for a thread, in three reads in a row",
            extra=NOT_NEGATIVE,
        ),
    ] = Thresholds(warning=Range(end=20))


class Database(Struct, frozen=True):
    """One MDB database: its naming contexts, and the used parts of its pages and reader slots.

    `pages` are those in use, and `pages_max` those that it can have; 0 in facts of before.
    """

    name: str
    database_ratio: float
    readers_ratio: float
    pages: int = 0
    pages_max: int = 0


class Connections(Struct, frozen=True):
    """The open connections, and the file descriptors of slapd, of which each needs one."""

    open: int
    descriptors: int


class Facts(Struct, frozen=True, omit_defaults=True):
    """The resources in use; empty if cn=Monitor does not exist or the account cannot read it.

    `connections_ratio` is the part of slapd's file descriptors that connections use;
    `pending_operations` are those that wait for a thread. `connections` is None in facts of before.
    """

    connections_ratio: float | None = None
    pending_operations: int | None = None
    databases: tuple[Database, ...] = ()
    access: MonitorAccess = "read"
    connections: Connections | None = None


NOTHING = Facts()


def requests(_: Server, __: Params) -> Iterator[Flight]:
    """Yield the counters that `observe` reads, without that of waiting operations."""
    yield GAUGES_FLIGHT


def observe(session: Session, _: Params) -> Facts:
    """Read the counters."""
    access, entries = search_gauges(session)
    found = {dn.lower(): entry for dn, entry in entries}
    used, descriptors = (
        number(_entry(found, dn), "monitorcounter") for dn in (CONNECTIONS, DESCRIPTORS)
    )
    connections = Connections(used, descriptors) if used is not None and descriptors else None
    return Facts(
        connections.open / connections.descriptors if connections else None,
        number(_entry(found, PENDING), "monitoredinfo"),
        tuple(_databases(found.values())),
        access,
        connections,
    )


def _databases(
    entries: Iterable[Attributes],
) -> Iterator[Database]:
    for entry in entries:
        largest, used = number(entry, "olmmdbpagesmax"), number(entry, "olmmdbpagesused")
        if not largest or used is None:
            continue
        free = number(entry, "olmmdbpagesfree") or 0
        slots, readers = number(entry, "olmmdbreadersmax"), number(entry, "olmmdbreadersused")
        yield Database(
            name=printable(", ".join(entry.get("namingcontexts", ())), 64),
            database_ratio=max(0, used - free) / largest,
            readers_ratio=(readers or 0) / slots if slots else 0.0,
            pages=max(0, used - free),
            pages_max=largest,
        )


def _entry(found: Mapping[str, Attributes], dn: str) -> Attributes:
    return found.get(f"{dn},{BASE.lower()}", {})


def judge(view: View[Facts], params: Params) -> Iterable[Finding]:
    """Judge the share of each resource that is in use."""
    access = view.facts.access
    if access != "read" or view.facts == NOTHING:
        yield no_monitor_finding(view, access)
        return
    found = [*_findings(view, params)]
    wrong = [each for each in found if each.state is not State.OK]
    metrics = tuple(metric for each in found for metric in each.metrics)
    yield from wrong
    if not wrong:
        yield view.finding(State.OK, "ok", "all resources are within their limits", metrics)


def _findings(view: View[Facts], params: Params) -> Iterator[Finding]:
    facts = view.facts
    for each in facts.databases:
        what = "of the maximum size of the database is in use"
        share = _Share("database_ratio", "database_full", what, params.database_ratio, each.name)
        yield share.finding(view, each.database_ratio)
        what = "of the reader slots of the database are in use"
        share = _Share("readers_ratio", "readers", what, params.readers_ratio, each.name)
        yield share.finding(view, each.readers_ratio)
    if facts.connections_ratio is not None:
        what = "of the file descriptors are used by connections"
        share = _Share("connections_ratio", "connections", what, params.connections_ratio)
        yield share.finding(view, facts.connections_ratio)
    yield from _pending(view, params.pending_operations)


class _Share(Struct, frozen=True):
    """A used share of a resource: its metric, the code, the text and the thresholds."""

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
    pending = [
        facts.pending_operations
        for seen in [*view.own][-LASTING:]
        if (facts := seen.facts) is not None and facts.pending_operations is not None
    ]
    if pending:
        lasting = min(pending) if len(pending) == LASTING else 0
        metric = limits.metric("pending_operations", pending[-1])
        operations = quantity(lasting, "operation")
        summary = f"at least {operations} waited for a thread in {LASTING} reads in a row"
        yield view.finding(limits.state(lasting), "threads", summary, (metric,))


CHECK = Check(
    name="resources",
    params=Params,
    facts=Facts,
    requests=requests,
    observe=observe,
    judge=judge,
    newest=LASTING,
    judges_older_times=False,
    judged_metrics={
        each: (each,) for each in ("database_ratio", "readers_ratio", "connections_ratio")
    },
    of_one_server=True,
    bound_because="it reads all counters of a server",
)
