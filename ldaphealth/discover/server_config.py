"""What cn=config of slapd shows (slapd-config(5)): server IDs, databases, and their links."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from ldaphealth.discover.attempt import attempt
from ldaphealth.discover.root_dse import RootDse
from ldaphealth.discover.syncrepl import Syncrepl, parse_syncrepl
from ldaphealth.model import comparable_dn
from ldaphealth.text.printable import printable

if TYPE_CHECKING:
    from ldaphealth.ldap.codec import Entry
    from ldaphealth.ldap.session import Session

ContextAccess = Literal["read", "denied", "none"]  # none: the server shows no such context

DATABASES = "(|(objectClass=olcGlobal)(olcSuffix=*))"
ATTRIBUTES = (
    "entryUUID",
    "olcServerID",
    "olcSuffix",
    "olcSyncrepl",
    "olcMultiProvider",
    "olcMirrorMode",
    "olcUpdateRef",
)
MOST_DATABASES, MOST_LINKS, MOST_SERVER_IDS = 64, 64, 64
LONGEST = 256


class ConfiguredDatabase(Struct, frozen=True, kw_only=True):
    """One database. `is_multi_provider`: it takes writes although it has links; None: not shown.

    `links` are empty as well if the account may not read olcSyncrepl.
    """

    suffixes: tuple[str, ...]
    links: tuple[Syncrepl, ...] = ()
    unreadable_links: int = 0
    is_multi_provider: bool | None = None
    has_update_ref: bool = False


class ServerConfig(Struct, frozen=True, kw_only=True):
    """What cn=config shows; `refused_by` is the name of the result code without access."""

    access: ContextAccess
    refused_by: str = ""
    entry_uuid: str = ""
    server_ids: tuple[str, ...] = ()
    databases: tuple[ConfiguredDatabase, ...] = ()


def read_server_config(session: Session, root_dse: RootDse) -> ServerConfig:
    """Return what cn=config shows; SessionError if no result came."""
    if not root_dse.config_context and root_dse.naming_contexts:
        return ServerConfig(access="none")
    base = root_dse.config_context or "cn=config"
    found, refused_by = attempt(session, base, "sub", DATABASES, ATTRIBUTES, MOST_DATABASES)
    if not found:
        return ServerConfig(access="denied", refused_by=refused_by or "no entry")
    root = next((entry for dn, entry in found if comparable_dn(dn) == comparable_dn(base)), {})
    return ServerConfig(
        access="read",
        entry_uuid=printable("".join(root.get("entryUUID", ())[:1]), 64),
        server_ids=tuple(
            printable(each, LONGEST) for each in root.get("olcServerID", ())[:MOST_SERVER_IDS]
        ),
        databases=(*_databases(found),),
    )


def _databases(found: Sequence[Entry]) -> Iterator[ConfiguredDatabase]:
    for _, entry in found:
        suffixes = entry.get("olcSuffix", ())
        if not suffixes:
            continue
        values = entry.get("olcSyncrepl", ())[:MOST_LINKS]
        links = [*_links(values)]
        flags = (*entry.get("olcMultiProvider", ()), *entry.get("olcMirrorMode", ()))
        yield ConfiguredDatabase(
            suffixes=tuple(printable(each, LONGEST) for each in suffixes[:MOST_LINKS]),
            links=(*links,),
            unreadable_links=len(values) - len(links),
            is_multi_provider="TRUE" in flags if flags else None,
            has_update_ref=bool(entry.get("olcUpdateRef", ())),
        )


def _links(values: Sequence[str]) -> Iterator[Syncrepl]:
    for each in values:
        try:
            yield parse_syncrepl(each)
        except ValueError:
            continue
