"""What cn=Monitor of slapd shows (slapd-monitor(5)): links, shadows, listeners, connections."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

from ldaphealth.checks.links import Link, read_links
from ldaphealth.discover.attempt import attempt
from ldaphealth.discover.databases import database_of
from ldaphealth.discover.root_dse import RootDse, is_usable_dn
from ldaphealth.discover.server_config import ContextAccess
from ldaphealth.discover.syncrepl import MOST_PROVIDERS, provider_uri
from ldaphealth.ldap.deadline import SessionError
from ldaphealth.ldap.names import ALL_ENTRIES
from ldaphealth.model import FailureKind
from ldaphealth.text.printable import printable

if TYPE_CHECKING:
    from ldaphealth.ldap.codec import Entry
    from ldaphealth.ldap.session import Session

BASE = "cn=Monitor"
DATABASES, CONNECTIONS = f"cn=Databases,{BASE}", f"cn=Connections,{BASE}"
LINKS = "(objectClass=olmSyncReplInstance)"
# A consumer waits for changes with a search that does not end (RFC 4533 3.4).
WAITING = "(&(monitorConnectionOpsExecuting>=1)(monitorConnectionAuthzDN=*))"
MOST_ENTRIES, MOST_CONNECTIONS = 64, 256
LONGEST = 256
# IP=192.0.2.1:389, also with an IPv6 address in brackets
PEER = re.compile(r"IP=\[?([0-9A-Fa-f.:]{2,45}?)\]?:([0-9]{1,5})", re.ASCII)


class MonitoredLink(Struct, frozen=True, kw_only=True):
    """A link of a consumer (OpenLDAP 2.5+).

    `connection` is its own end of it, `ADDRESS:PORT`, as the provider shows the same connection.
    """

    database: str
    providers: tuple[str, ...]
    connection: str = ""
    poll_interval_seconds: float = 0.0


class MonitoredDatabase(Struct, frozen=True, kw_only=True):
    """A database. `is_shadow`: it has links, also as one of several providers; None: not shown."""

    dn: str
    suffixes: tuple[str, ...]
    is_shadow: bool | None = None
    has_update_ref: bool = False


class Waiting(Struct, frozen=True, kw_only=True):
    """A connection with an operation in progress: its other end, and the account."""

    peer: str
    account: str


class ServerMonitor(Struct, frozen=True, kw_only=True):
    """What cn=Monitor shows; `refused_by` is the name of the result code without access."""

    access: ContextAccess
    refused_by: str = ""
    version: str = ""
    started: str = ""
    listeners: tuple[str, ...] = ()
    databases: tuple[MonitoredDatabase, ...] = ()
    links: tuple[MonitoredLink, ...] = ()
    waiting: tuple[Waiting, ...] = ()

    def links_of(self, base: str) -> tuple[MonitoredLink, ...]:
        """Return the links of the database of a naming context."""
        database = database_of(self.databases, base)
        return tuple(each for each in self.links if database and each.database == database.dn)


def read_server_monitor(session: Session, root_dse: RootDse) -> ServerMonitor:
    """Return what cn=Monitor shows; SessionError if no result came."""
    if not root_dse.monitor_context:
        return ServerMonitor(access="none")
    root, refused_by = attempt(session, BASE, "base", ALL_ENTRIES, ("monitoredInfo",))
    if not root:
        return ServerMonitor(access="denied", refused_by=refused_by or "no entry")
    start, _ = attempt(
        session, f"cn=Start,cn=Time,{BASE}", "base", ALL_ENTRIES, ("monitorTimestamp",)
    )
    listeners, _ = attempt(
        session, f"cn=Listeners,{BASE}", "one", "(labeledURI=*)", ("labeledURI",), MOST_ENTRIES
    )
    databases, _ = attempt(
        session,
        DATABASES,
        "one",
        "(namingContexts=*)",
        ("namingContexts", "monitorIsShadow", "monitorUpdateRef"),
        MOST_ENTRIES,
    )
    return ServerMonitor(
        access="read",
        version=_first(root, "monitoredInfo"),
        started=_first(start, "monitorTimestamp"),
        listeners=tuple(
            sorted(printable(v, LONGEST) for _, e in listeners for v in e.get("labeledURI", ()))
        ),
        databases=tuple(_database(dn, entry) for dn, entry in databases),
        links=(*_links(session),),
        waiting=(*_waiting(session),),
    )


def _first(entries: Iterable[Entry], attribute: str) -> str:
    values = (value for _, entry in entries for value in entry.get(attribute, ()))
    return printable(next(values, ""), LONGEST)


def _database(dn: str, entry: Mapping[str, tuple[str, ...]]) -> MonitoredDatabase:
    shadow = "".join(entry.get("monitorIsShadow", ())[:1])
    return MonitoredDatabase(
        dn=printable(dn.lower(), LONGEST),
        suffixes=tuple(printable(each, LONGEST) for each in entry.get("namingContexts", ())[:16]),
        is_shadow=shadow == "TRUE" if shadow else None,
        has_update_ref=bool(entry.get("monitorUpdateRef", ())),
    )


def _links(session: Session) -> Iterator[MonitoredLink]:
    attributes = ("olmSRProviderURIList", "olmSRConnection")
    found, _ = attempt(session, DATABASES, "sub", LINKS, attributes, MOST_ENTRIES)
    known = _known_links(session) if found else {}
    for dn, entry in found:
        urls = " ".join(entry.get("olmSRProviderURIList", ())).replace(",", " ").split()
        link = known.get(printable(dn.lower(), 128))
        yield MonitoredLink(
            database=printable(dn.lower().partition(",")[2], LONGEST),
            providers=tuple(filter(None, map(provider_uri, urls[:MOST_PROVIDERS]))),
            connection=peer("".join(entry.get("olmSRConnection", ())[:1])),
            poll_interval_seconds=link.poll_interval_seconds if link else 0.0,
        )


def _known_links(session: Session) -> Mapping[str, Link]:
    """Return the links by DN as the checks read them, with how often one polls."""
    try:
        return {each.dn: each for each in read_links(session).links}
    except SessionError as error:
        if error.failure.kind is not FailureKind.RESULT or not session.alive:
            raise
        return {}


def _waiting(session: Session) -> Iterator[Waiting]:
    """Yield the connections of other processes that wait for an answer, consumers among them."""
    attributes = ("monitorConnectionPeerAddress", "monitorConnectionAuthzDN")
    found, _ = attempt(session, CONNECTIONS, "one", WAITING, attributes, MOST_CONNECTIONS)
    for _, entry in found:
        address = peer("".join(entry.get("monitorConnectionPeerAddress", ())[:1]))
        account = "".join(entry.get("monitorConnectionAuthzDN", ())[:1])
        if address and is_usable_dn(account):
            yield Waiting(peer=address, account=account)


def peer(text: str) -> str:
    """Return `ADDRESS:PORT` of a value such as `IP=192.0.2.1:49430`, "" if it is none."""
    found = PEER.fullmatch(text)
    return f"{found[1].lower()}:{found[2]}" if found else ""
