"""All that one session with one server shows: binds and searches, nothing is written."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from ldaphealth.content.context_csn import read_context_csn
from ldaphealth.csn import MOST_SERVER_IDS
from ldaphealth.discover.attempt import attempt
from ldaphealth.discover.root_dse import RootDse, read_root_dse
from ldaphealth.discover.secure_session import ServerAccess, open_securely
from ldaphealth.discover.server_config import ServerConfig, read_server_config
from ldaphealth.discover.server_monitor import ServerMonitor, read_server_monitor
from ldaphealth.ldap.accounts import Accounts
from ldaphealth.ldap.deadline import Deadline, SessionError
from ldaphealth.ldap.endpoint import parse_uri
from ldaphealth.ldap.names import ALL_ENTRIES, NO_ATTRIBUTES
from ldaphealth.ldap.resolver import resolve
from ldaphealth.ldap.session import Session
from ldaphealth.model import FailureKind, Tls
from ldaphealth.text.printable import printable

LONGEST_CSN = 64


class Context(Struct, frozen=True, kw_only=True):
    """One naming context: whether a search finds its entry, and its contextCSN if it shows any.

    `refused_by` is the name of the result code of a search that found nothing, or `no entry`.
    """

    dn: str
    refused_by: str = ""
    context_csn: tuple[str, ...] = ()


class ServerFacts(Struct, frozen=True, kw_only=True):
    """What one server shows. `addresses` are `ADDRESS:PORT`; `no_tls` is why TLS was not used."""

    uri: str
    tls: Tls
    no_tls: str
    addresses: tuple[str, ...]
    root_dse: RootDse
    config: ServerConfig
    monitor: ServerMonitor
    contexts: tuple[Context, ...]

    @property
    def identity(self) -> tuple[str, ...]:
        """Return what only one running slapd shows; () if the account cannot read enough of it.

        Copied machines have one cn=config, and machines that boot together one start. So it takes
        both, and the listeners.
        """
        of_config = (self.config.entry_uuid, *self.config.server_ids)
        if not (self.monitor.started and self.monitor.listeners and any(of_config)):
            return ()
        return (self.monitor.started, *self.monitor.listeners, *of_config)

    def context(self, dn: str) -> Context | None:
        """Return a naming context that the server holds."""
        return next((each for each in self.contexts if each.dn.lower() == dn.lower()), None)


def read_server(
    uri: str, access: ServerAccess, seconds: float, accounts: Accounts, base: str = ""
) -> ServerFacts:
    """Return what a server shows within so many seconds; SessionError.

    `base` is a naming context that it may not name itself.
    """
    deadline = Deadline.after(seconds)
    addresses = resolve(parse_uri(uri), deadline)
    opened = open_securely(uri, access, deadline, accounts)
    session = opened.session
    try:
        root_dse = read_root_dse(session)
        facts = ServerFacts(
            uri=opened.server.uri,
            tls=opened.server.tls,
            no_tls=opened.no_tls,
            addresses=tuple(dict.fromkeys(_address(address) for _, address in addresses)),
            root_dse=root_dse,
            config=read_server_config(session, root_dse),
            monitor=read_server_monitor(session, root_dse),
            contexts=tuple(_context(session, dn) for dn in _bases(root_dse, base)),
        )
        session.unbind()
    finally:
        session.close()
    return facts


def _address(address: str | Sequence[str | int]) -> str:
    return address if isinstance(address, str) else f"{address[0]}:{address[1]}".lower()


def _bases(root_dse: RootDse, base: str) -> list[str]:
    """Return the naming contexts of the server, and one more unless it names that itself."""
    known = root_dse.naming_contexts
    is_new = base and base.lower() not in map(str.lower, known)
    return [base, *known] if is_new else [*known]


def _context(session: Session, dn: str) -> Context:
    found, refused_by = attempt(session, dn, "base", ALL_ENTRIES, (NO_ATTRIBUTES,))
    if not found:
        return Context(dn=dn, refused_by=refused_by or "no entry")
    try:
        values = read_context_csn(session, dn)
    except SessionError as error:
        if error.failure.kind is not FailureKind.RESULT or not session.alive:
            raise
        values = ()
    shown = tuple(printable(each, LONGEST_CSN) for each in values[:MOST_SERVER_IDS])
    return Context(dn=dn, context_csn=shown)
