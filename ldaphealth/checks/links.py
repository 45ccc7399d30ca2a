"""The replication links of a server, as cn=Monitor of OpenLDAP 2.5+ shows them, and how it polls.

The checks consumer and replication use it; the entries are read once in a session.

A link of type refreshOnly (slapd.conf(5)) polls: it is not connected between two polls, its last
attempt was answered, and olmSRNextConnect has the time of the next one. Nothing else distinguishes
it: while it connects or refreshes it looks like a link that lasts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from ldaphealth.checks.monitor_access import MonitorAccess, search_monitor
from ldaphealth.ldap.deadline import SessionError
from ldaphealth.ldap.flight import SearchRequest
from ldaphealth.model import LONGEST_POLL_SECONDS, is_in_context
from ldaphealth.text.printable import printable

if TYPE_CHECKING:
    from ldaphealth.ldap.codec import Entry
    from ldaphealth.ldap.session import Session

BASE = "cn=Databases,cn=Monitor"
FILTER = "(objectClass=olmSyncReplInstance)"
ATTRIBUTES = (
    "createTimestamp",
    "olmSRProviderURIList",
    "olmSRConnection",
    "olmSRSyncPhase",
    "olmSRLastConnect",
    "olmSRLastContact",
    "olmSRNextConnect",
)
LINKS_REQUEST = SearchRequest(BASE, "sub", FILTER, ATTRIBUTES)  # of `read_links`
NEVER = "00000101000000Z"
PERSIST = "Persist"
REFRESH = frozenset({"Refresh", "Fallback Refresh"})
LONGEST_NAME, LONGEST_VALUE = 128, 32
GENERALIZED_TIME = "%Y%m%d%H%M%SZ"  # RFC 4517 3.3.13, as slapd writes it


LinkKey: TypeAlias = tuple[str, str, str]


class Link(Struct, frozen=True, kw_only=True):
    """One link as one read shows it."""

    dn: str
    started: str  # when slapd created the entry; it changes with a restart
    name: str
    connected: bool
    phase: str
    connect: str
    contact: str
    has_next: bool = True  # whether slapd will try to connect again
    poll_interval_seconds: float = 0.0  # from the last poll to the next, while it waits for that

    @property
    def key(self) -> LinkKey:
        """Return what identifies the link in all reads of one running slapd."""
        return self.dn, self.started, self.name

    @property
    def is_waiting(self) -> bool:
        """Return whether it is not connected, but its last attempt was answered (refreshOnly).

        A lost link has the phase Persist, or has tried to connect since the last contact.
        """
        answered = self.contact != NEVER and self.contact >= self.connect
        is_polling = self.phase != PERSIST and answered and not self.is_given_up
        return not self.connected and is_polling

    @property
    def is_given_up(self) -> bool:
        """Return whether slapd has tried to connect and will not try again before it restarts."""
        return not self.connected and not self.has_next and self.connect != NEVER

    @property
    def is_lasting(self) -> bool:
        """Return whether it is connected to receive each change at once (refreshAndPersist)."""
        return self.connected and self.phase == PERSIST

    @property
    def is_lost(self) -> bool:
        """Return whether it should be connected and is not."""
        return not self.connected and not self.is_waiting

    @property
    def phase_now(self) -> str:
        """Return the real phase: that of slapd remains Persist when the provider is gone."""
        if self.connected:
            return self.phase
        if self.is_given_up:
            return "given up"
        return "waiting" if self.is_waiting else "not connected"

    @property
    def is_refreshing(self) -> bool:
        """Return whether it refreshes; until the first attempt slapd shows that phase, too."""
        return self.connected and self.phase in REFRESH


class Facts(Struct, frozen=True):
    """The links that the server shows; `entries` includes those without readable attributes."""

    entries: int
    links: tuple[Link, ...]
    access: MonitorAccess = "read"


def read_links(session: Session) -> Facts:
    """Return the links; they are read once in a session. SessionError."""
    return session.once("links", lambda: _read_links(session))


def _read_links(session: Session) -> Facts:
    access, found = search_monitor(session, BASE, "sub", FILTER, ATTRIBUTES, is_always_there=False)
    readable = [(dn, entry) for dn, entry in found if "olmsrconnection" in entry]
    uris = [_uris(dn, entry) for dn, entry in readable]
    links = tuple(
        _link(dn, entry, uri if uris.count(uri) == 1 else f"{uri} ({_name(dn)})")
        for (dn, entry), uri in zip(readable, uris, strict=True)
    )
    return Facts(len(found), links, access)


def _link(dn: str, entry: Mapping[str, tuple[str, ...]], name: str) -> Link:
    def value(attribute: str) -> str:
        return printable("".join(entry.get(attribute, ())[:1]), LONGEST_VALUE)

    link = Link(
        dn=printable(dn.lower(), LONGEST_NAME),
        started=value("createtimestamp"),
        name=name,
        connected=bool(value("olmsrconnection")),
        phase=value("olmsrsyncphase"),
        connect=value("olmsrlastconnect"),
        contact=value("olmsrlastcontact"),
        has_next=value("olmsrnextconnect") != NEVER,
    )
    if not link.is_waiting:
        return link
    interval_seconds = _seconds_between(link.connect, value("olmsrnextconnect"))
    return replace(link, poll_interval_seconds=interval_seconds)


def _seconds_between(earlier: str, later: str) -> float:
    """Return the seconds between two times of the server, 0 if they are no times in that order."""
    try:
        began, ends = (_time(each) for each in (earlier, later))
    except ValueError:
        return 0.0
    return min(max(0.0, (ends - began).total_seconds()), LONGEST_POLL_SECONDS)


def _time(text: str) -> datetime:
    return datetime.strptime(text, GENERALIZED_TIME).replace(tzinfo=UTC)


def _uris(dn: str, entry: Mapping[str, tuple[str, ...]]) -> str:
    text = ", ".join(entry.get("olmsrproviderurilist", ()))
    return printable(text, LONGEST_NAME) or _name(dn)


def _name(dn: str) -> str:
    """Return the value of the RDN, which is `Consumer` and the rid."""
    return printable(dn.partition(",")[0].partition("=")[2], LONGEST_VALUE)


def poll_intervals(session: Session, bases: Iterable[str]) -> dict[str, float | None]:
    """Return the seconds from one poll to the next, by naming context, of those that are polled.

    None: it is not known now whether it is polled, because each of its links connects, refreshes or
    has lost its provider, or because reading them failed. Without the right to read cn=Monitor, or
    with a link that lasts, a naming context counts as not polled.
    """
    try:
        links = [each for each in read_links(session).links if not each.is_given_up]
        if all(each.is_lasting for each in links):
            return {}
        suffixes = session.search(BASE, "one", "(namingContexts=*)", ("namingContexts",))
    except SessionError:  # the next operation of the session reports it
        return dict.fromkeys(bases)
    return {
        base: _poll_interval_seconds(of)
        for base in bases
        if (of := _links_of(base, links, suffixes)) and not any(each.is_lasting for each in of)
    }


def _links_of(base: str, links: Sequence[Link], suffixes: Sequence[Entry]) -> list[Link]:
    """Return the links of the database that holds a naming context; all if that is not shown."""
    found = [
        (len(suffix), printable(dn.lower(), LONGEST_NAME))
        for dn, entry in suffixes
        for suffix in entry.get("namingcontexts", ())
        if is_in_context(base, suffix)
    ]
    if not found:
        return [*links]
    _, database = max(found)
    return [each for each in links if each.dn.partition(",")[2] == database]


def _poll_interval_seconds(links: Sequence[Link]) -> float | None:
    """Return the longest interval of the links that wait for their next poll, None without one."""
    return max((each.poll_interval_seconds for each in links if each.is_waiting), default=None)
