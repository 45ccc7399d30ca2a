"""The rest of cn=Monitor for the metrics (slapd-monitor(5)): connections, threads, traffic, times.

It judges nothing. `MEASURES` and `READS` are the tables of what is read. Each read is one entry, or
the children of a container with a fixed number of them: slapd makes an entry of cn=Monitor for each
connection that a search of the whole tree passes, 7 ms of its CPU for a thousand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from ldaphealth.check import Check, View
from ldaphealth.checks.monitor_access import (
    BASE,
    MonitorAccess,
    no_monitor_finding,
    number,
    search_monitor,
)
from ldaphealth.clocks import EpochSeconds, epoch_seconds
from ldaphealth.ldap.flight import SearchRequest
from ldaphealth.ldap.names import ALL_ENTRIES
from ldaphealth.model import Finding, Server, State
from ldaphealth.text.printable import printable

if TYPE_CHECKING:
    from ldaphealth.ldap.codec import Scope
    from ldaphealth.ldap.flight import Flight
    from ldaphealth.ldap.session import Session


class Measure(Struct, frozen=True, kw_only=True):
    """One metric: the entries below cn=Monitor that have its numbers, by the value of its label.

    The name ends with its unit, and with `_total` if it is a counter. Without a label there is one
    entry, under "".
    """

    name: str
    kind: Literal["counter", "gauge"] = "gauge"
    help: str
    label: str = ""
    entries: Mapping[str, str]


MEASURES: tuple[Measure, ...] = (
    Measure(
        name="connections",
        help="Open connections, the agent's included.",
        entries={"": "cn=current,cn=connections"},
    ),
    Measure(
        name="connections_opened_total",
        kind="counter",
        help="Connections that were opened since slapd started.",
        entries={"": "cn=total,cn=connections"},
    ),
    Measure(
        name="file_descriptors_max",
        help="The file descriptors that slapd may have.",
        entries={"": "cn=max file descriptors,cn=connections"},
    ),
    Measure(
        name="sent_bytes_total",
        kind="counter",
        help="Bytes that slapd sent since it started.",
        entries={"": "cn=bytes,cn=statistics"},
    ),
    Measure(
        name="sent_messages_total",
        kind="counter",
        help="LDAP messages (PDUs) that slapd sent since it started.",
        entries={"": "cn=pdu,cn=statistics"},
    ),
    Measure(
        name="sent_entries_total",
        kind="counter",
        help="Entries that slapd sent since it started.",
        entries={"": "cn=entries,cn=statistics"},
    ),
    Measure(
        name="sent_referrals_total",
        kind="counter",
        help="Referrals that slapd sent since it started.",
        entries={"": "cn=referrals,cn=statistics"},
    ),
    Measure(
        name="threads",
        help="The thread pool of slapd: `max`, `open`, `starting` and `active` threads, `pending` "
        "operations that wait for one and how many may (`max_pending`), and the `backload`, "
        "those that are active or wait.",
        label="state",
        entries={
            "max": "cn=max,cn=threads",
            "open": "cn=open,cn=threads",
            "starting": "cn=starting,cn=threads",
            "active": "cn=active,cn=threads",
            "pending": "cn=pending,cn=threads",
            "max_pending": "cn=max pending,cn=threads",
            "backload": "cn=backload,cn=threads",
        },
    ),
    Measure(
        name="waiters",
        help="Connections on which slapd waits for a request (`read`), or until it can send a "
        "response (`write`).",
        label="for",
        entries={"read": "cn=read,cn=waiters", "write": "cn=write,cn=waiters"},
    ),
)
READS: tuple[tuple[str, Scope], ...] = (
    ("", "base"),
    ("cn=Current,cn=Connections", "base"),
    ("cn=Total,cn=Connections", "base"),
    ("cn=Max File Descriptors,cn=Connections", "base"),
    ("cn=Statistics", "one"),
    ("cn=Threads", "one"),
    ("cn=Waiters", "one"),
    ("cn=Time", "one"),
    ("cn=Databases", "one"),
)
ATTRIBUTES = (
    "monitorCounter",
    "monitoredInfo",
    "monitorTimestamp",
    "monitorIsShadow",
    "monitorOverlay",
    "namingContexts",
    "readOnly",
)
# Read alone: cn=Threads counts the other requests that the server works on, and the answer with the
# clock must not wait for those to others.
ALONE = frozenset({"cn=Threads", "cn=Time"})
START, CLOCK = "cn=start,cn=time", "cn=current,cn=time"
GENERALIZED_TIME = "%Y%m%d%H%M%SZ"  # RFC 4517 3.3.13, as slapd writes it
MOST_DATABASES, MOST_OVERLAYS = 64, 32
LONGEST_NAME = 80

Attributes = Mapping[str, tuple[str, ...]]


def _base(rdns: str) -> str:
    return f"{rdns},{BASE}" if rdns else BASE


FLIGHT: Flight = tuple(
    SearchRequest(_base(rdns), scope, ALL_ENTRIES, ATTRIBUTES)
    for rdns, scope in READS
    if rdns not in ALONE
)


class Params(Struct, frozen=True):
    """Settings of the check. It has none of its own; it is off unless it is named: `{}`."""


class ShownDatabase(Struct, frozen=True):
    """A database: its naming contexts, whether clients can write to it, and its overlays."""

    name: str
    is_read_only: bool
    is_copy: bool
    overlays: tuple[str, ...]


class Facts(Struct, frozen=True, kw_only=True):
    """What slapd shows of itself; empty if cn=Monitor cannot be read, and `access` is why.

    `values` are the numbers of `MEASURES` by the entry below cn=Monitor. `clock_ahead_seconds` is
    how far the clock of the server is ahead of that of this host; slapd shows whole seconds.
    """

    values: Mapping[str, int] = {}
    version: str = ""
    started_epoch_seconds: EpochSeconds | None = None
    clock_ahead_seconds: float | None = None
    databases: tuple[ShownDatabase, ...] = ()
    access: MonitorAccess = "read"


def requests(_: Server, __: Params) -> Iterator[Flight]:
    """Yield the reads of the table that can travel together."""
    yield FLIGHT


def observe(session: Session, _: Params) -> Facts:
    """Read the entries of the table."""
    entries: dict[str, Attributes] = {}
    observed: EpochSeconds | None = None
    for rdns, scope in READS:
        access, found = search_monitor(
            session, _base(rdns), scope, ALL_ENTRIES, ATTRIBUTES, is_always_there=not rdns
        )
        if not rdns and access != "read":
            return Facts(access=access)
        if rdns == "cn=Time":
            observed = epoch_seconds()
        entries |= {dn.lower().removesuffix(BASE.lower()).rstrip(","): each for dn, each in found}
    wanted = (entry for measure in MEASURES for entry in measure.entries.values())
    shown = {entry: _number(entries.get(entry, {})) for entry in wanted}
    clock = _timestamp(entries.get(CLOCK, {}))
    return Facts(
        values={entry: value for entry, value in shown.items() if value is not None},
        version=printable(_first(entries.get("", {}), "monitoredInfo"), LONGEST_NAME),
        started_epoch_seconds=_timestamp(entries.get(START, {})),
        clock_ahead_seconds=None if clock is None or observed is None else clock - int(observed),
        databases=tuple(_databases(entries))[:MOST_DATABASES],
    )


def _number(entry: Attributes) -> int | None:
    found = number(entry, "monitorcounter")
    return number(entry, "monitoredinfo") if found is None else found


def _timestamp(entry: Attributes) -> EpochSeconds | None:
    text = _first(entry, "monitorTimestamp")
    try:
        return datetime.strptime(text, GENERALIZED_TIME).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def _databases(entries: Mapping[str, Attributes]) -> Iterator[ShownDatabase]:
    for dn, entry in entries.items():
        if dn.startswith("cn=database ") and entry.get("namingContexts"):
            yield ShownDatabase(
                printable(", ".join(entry["namingContexts"]), LONGEST_NAME),
                _first(entry, "readOnly") == "TRUE",
                _first(entry, "monitorIsShadow") == "TRUE",
                tuple(
                    printable(each, LONGEST_NAME)
                    for each in entry.get("monitorOverlay", ())[:MOST_OVERLAYS]
                ),
            )


def _first(entry: Attributes, name: str) -> str:
    return next(iter(entry.get(name, ())), "")


def judge(view: View[Facts], _: Params) -> Iterable[Finding]:
    """Name the version and how long slapd has been running; the numbers are for the metrics."""
    facts = view.facts
    if facts.access != "read":
        yield no_monitor_finding(view, facts.access)
        return
    yield view.finding(State.OK, "ok", facts.version or "no version is shown")


CHECK = Check(
    name="counters",
    params=Params,
    facts=Facts,
    requests=requests,
    observe=observe,
    judge=judge,
    newest=1,
    of_one_server=True,
    bound_because="it reads all counters of a server",
)
