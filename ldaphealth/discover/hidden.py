"""What could not be seen, and which right or option would show it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from ldaphealth.discover.server_facts import ServerFacts
from ldaphealth.discover.servers import Found
from ldaphealth.model import BindMethod, Credentials
from ldaphealth.text.result_words import RESULT_WORDS

CONFIG_ATTRIBUTES = (
    "objectClass,entryUUID,olcServerID,olcSuffix,olcMultiProvider,olcMirrorMode,olcUpdateRef"
)

NO_SYNCREPL = (
    "olcSyncrepl is not in this list, because it has the password of replication: since OpenLDAP "
    "2.5 cn=Monitor shows the links without it"
)


class Hidden(Struct, frozen=True, kw_only=True):
    """What could not be seen on some servers (by URI), why, and what would show it."""

    what: str
    servers: tuple[str, ...] = ()
    why: str
    grants: tuple[str, ...] = ()


def find_hidden(found: Found, contexts: Sequence[str], credentials: Credentials) -> list[Hidden]:
    """Return what could not be seen, the most important first."""
    servers = [each.facts for each in found.servers]
    return [
        *_unread(found),
        *_contexts(servers, contexts, credentials),
        *_monitor(servers, credentials),
        *_config(servers, credentials),
        *_consumers(servers),
    ]


def _unread(found: Found) -> Iterator[Hidden]:
    for each in found.unread:
        yield Hidden(what=each.uri, why=f"{each.evidence}; {each.why}")


def _contexts(
    servers: Sequence[ServerFacts], contexts: Sequence[str], credentials: Credentials
) -> Iterator[Hidden]:
    if not contexts:
        yield Hidden(
            what="the naming contexts",
            servers=tuple(each.uri for each in servers),
            why="the root DSE shows none",
            grants=(
                f'olcAccess: to dn.base="" by {who(credentials)} read by * break',
                "or --base DN",
            ),
        )
    for base in contexts:
        held = {each.uri: context for each in servers if (context := each.context(base))}
        refused = {uri: context for uri, context in held.items() if context.refused_by}
        if refused:
            yield Hidden(
                what=base,
                servers=(*refused,),
                why=_words([each.refused_by for each in refused.values()]),
                grants=(f'olcAccess: to dn.base="{base}" by {who(credentials)} read by * break',),
            )
        bare = tuple(
            uri for uri, each in held.items() if not each.refused_by and not each.context_csn
        )
        if bare:
            rule = (
                f'olcAccess: to dn.base="{base}" attrs=entry,contextCSN by {who(credentials)} read'
            )
            yield Hidden(
                what=f"contextCSN of {base}",
                servers=bare,
                why="it shows none: the server does not replicate, or the account has no right",
                grants=(f"{rule} by * break",),
            )


def _monitor(servers: Sequence[ServerFacts], credentials: Credentials) -> Iterator[Hidden]:
    denied = {e.uri: e.monitor.refused_by for e in servers if e.monitor.access == "denied"}
    if denied:
        rule = f'olcAccess: to dn.subtree="cn=Monitor" by {who(credentials)} read by * break'
        yield Hidden(
            what="cn=Monitor (links, polls, resources, entries)",
            servers=(*denied,),
            why=_words([*denied.values()]),
            grants=(f"{rule}   (database monitor)",),
        )
    without = tuple(each.uri for each in servers if each.monitor.access == "none")
    if without:
        yield Hidden(
            what="cn=Monitor",
            servers=without,
            why="the root DSE has no monitorContext",
            grants=("slapd-monitor(5): `database monitor`, in cn=config olcDatabase=monitor",),
        )


def _config(servers: Sequence[ServerFacts], credentials: Credentials) -> Iterator[Hidden]:
    denied = {e.uri: e.config.refused_by for e in servers if e.config.access == "denied"}
    if denied:
        attributes = f"entry,{CONFIG_ATTRIBUTES}"
        rule = f'olcAccess: to dn.subtree="cn=config" attrs={attributes} by {who(credentials)} read'
        yield Hidden(
            what="cn=config (server IDs, whether a server takes writes)",
            servers=(*denied,),
            why=_words([*denied.values()]),
            grants=(
                f"{rule} by * break   (database config)",
                NO_SYNCREPL,
            ),
        )


def _consumers(servers: Sequence[ServerFacts]) -> Iterator[Hidden]:
    """Yield the hosts that wait for changes as consumers do, and are none of the servers found."""
    connections = {link.connection for each in servers for link in each.monitor.links}
    known = {address.rpartition(":")[0] for each in servers for address in each.addresses}
    accounts = {
        waiting.account.lower()
        for each in servers
        for waiting in each.monitor.waiting
        if waiting.peer in connections
    } | {
        link.bind_dn.lower()
        for each in servers
        for database in each.config.databases
        for link in database.links
        if link.bind_dn
    }
    found: dict[str, Mapping[str, str]] = {}
    for each in servers:
        for waiting in each.monitor.waiting:
            host = waiting.peer.rpartition(":")[0]
            if waiting.account.lower() in accounts and host not in known:
                found.setdefault(host, {"account": waiting.account, "at": each.uri})
    for host, seen in sorted(found.items()):
        yield Hidden(
            what=f"a consumer at {host}, probably",
            servers=(seen["at"],),
            why=f"a connection from there waits as {seen['account']}, the account of replication",
            grants=("give its URL to `ldaphealth discover` as well",),
        )


def who(credentials: Credentials) -> str:
    """Return the account as in a rule of slapd.access(5)."""
    if credentials.method is BindMethod.SIMPLE and credentials.dn:
        return f'dn.exact="{credentials.dn}"'
    return "anonymous"


def _words(codes: Sequence[str]) -> str:
    """Return the result codes in words, each once."""
    known = [f"{RESULT_WORDS[c]} ({c})" if c in RESULT_WORDS else c for c in dict.fromkeys(codes)]
    return "; ".join(known)
