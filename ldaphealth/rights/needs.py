"""What each kind of check needs: entries, attributes, access. NEEDS is the table.

The attributes are those that the modules of the checks request. slapd tests `search` on the entry
at the base and on each attribute of the filter, and `read` on each entry and attribute that it
returns (slapd.access(5), OPERATION REQUIREMENTS).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from ldaphealth.checks import counters, links, monitor, monitor_access, traffic_survey, write
from ldaphealth.checks.canary import MARK_ATTRIBUTE, TOKEN_ATTRIBUTE
from ldaphealth.checks.password_age import CHANGED, EXPIRES_389, MAX_AGE, POLICY
from ldaphealth.checks.search import Params as SearchParams
from ldaphealth.content.context_csn import SUBENTRY
from ldaphealth.content.values import IDENTITY
from ldaphealth.csn import ATTRIBUTE as CONTEXT_CSN
from ldaphealth.ldap.names import ALL_ENTRIES
from ldaphealth.ldap.search_filter import attributes_of
from ldaphealth.model import BindMethod, Credentials, Server
from ldaphealth.rights.right import (
    ANONYMOUS,
    ENTRY,
    EXTERNAL,
    AccessLevel,
    Right,
    Schema,
    Scope,
)
from ldaphealth.rights.workload import workload_rights
from ldaphealth.settings import Cluster, ConfiguredCheck

PASSWORD = "userPassword"  # noqa: S105  the name of an attribute
MONITOR = monitor_access.BASE
LATE_ATTRIBUTES = "olm"  # those of databases and links, below cn=Databases only
# slapd computes their values while it searches, and not for the filter of a rule.
COMPUTED = frozenset({"entrydn", "hassubordinates", "ismemberof", "memberof", "numsubordinates"})


class OneServer(Struct, frozen=True, kw_only=True):
    """A server, the account that does the operations, and the user of a check that logs in."""

    server: Server
    account: str
    user: str = ""

    def base(self, dn: str) -> str:
        """Return a DN of the settings; the suffix of the cluster in place of an empty one."""
        return dn or self.server.suffix


def rights(cluster: Cluster, configured: ConfiguredCheck) -> list[Right]:
    """Return the rights that a check needs on the servers of its cluster, none if not known.

    A check of another package has a kind that is not in NEEDS. The root DSE is left out: it is
    readable by default, and in no database.
    """
    found = NEEDS.get(configured.check.name)
    if found is None:
        return []
    every: list[Right] = []
    for server in cluster.servers_of(configured):
        other = configured.credentials_on(server)
        if other is not None and other.method is BindMethod.SIMPLE:
            every.append(_to_bind(other.dn))
        every += found(configured.params_of(server), _one_server(server, configured))
    return [*dict.fromkeys(each for each in every if each.base or each.scope != "base")]


def _one_server(server: Server, configured: ConfiguredCheck) -> OneServer:
    other = configured.credentials_on(server)
    user = configured.credentials if configured.check.observe_as is not None else None
    return OneServer(
        server=server,
        account=account_named(other or server.credentials),
        user=user.dn if user is not None else "",
    )


def account_named(credentials: Credentials) -> str:
    """Return who binds with these credentials: a DN, ANONYMOUS or EXTERNAL."""
    match credentials.method:
        case BindMethod.SIMPLE:
            return credentials.dn
        case BindMethod.EXTERNAL:
            return EXTERNAL
    return ANONYMOUS


def found_by(  # noqa: PLR0913, PLR0917  those of a search
    account: str,
    base: str,
    scope: Scope,
    filter_text: str = ALL_ENTRIES,
    attributes: Iterable[str] = (),
    only: str = "",
) -> Iterator[Right]:
    """Yield the rights for a search; `only` bounds them to the entries of a filter."""
    named = attributes_of(filter_text)
    yield Right(account=account, base=base, attributes=(ENTRY,), access=AccessLevel.SEARCH)
    for names, access in ((named, AccessLevel.SEARCH), ((ENTRY, *attributes), AccessLevel.READ)):
        if names:
            yield Right(
                account=account,
                base=base,
                scope=scope,
                filter=only,
                attributes=names,
                access=access,
            )


def _none(_: Any, __: OneServer) -> Iterable[Right]:
    return ()


def _bind(params: Any, one: OneServer) -> Iterator[Right]:
    if one.server.credentials.method is BindMethod.SIMPLE:
        yield from _password(one.account, params.password_policy)


def _password(dn: str, policy: str) -> Iterator[Right]:
    """Yield the right of anyone to bind, and that of the account to see when it expires."""
    yield _to_bind(dn)
    reads = [(dn, (CHANGED, POLICY), Schema.PPOLICY), (dn, (EXPIRES_389,), Schema.DIRECTORY_389)]
    if policy:
        reads.append((policy, (MAX_AGE,), Schema.PPOLICY))
    for base, attributes, schema in reads:
        for each in found_by(dn, base, "base", attributes=attributes):
            yield replace(each, schema=schema)


def _to_bind(dn: str) -> Right:
    return Right(account=ANONYMOUS, base=dn, attributes=(PASSWORD,), access=AccessLevel.AUTH)


def _search(params: SearchParams, one: OneServer) -> Iterator[Right]:
    base = one.base(params.base)
    only = _only(params.filter)
    yield from found_by(one.account, base, params.scope, params.filter, (), only)
    if params.attribute:
        yield Right(
            account=one.account,
            base=base,
            scope=params.scope,
            filter=only,
            attributes=(params.attribute,),
            access=AccessLevel.SEARCH,
        )


def _only(filter_text: str) -> str:
    """Return the filter that bounds rights to what a search finds, "" if it cannot."""
    names = {name.lower() for name in attributes_of(filter_text)}
    text = filter_text.strip()
    text = text if text.startswith("(") else f"({text})"
    return "" if text == ALL_ENTRIES or not names or names & COMPUTED else text


def _compare(params: Any, one: OneServer) -> Iterator[Right]:
    yield _compared(one.account, params.dn, params.attribute)


def _compared(account: str, dn: str, attribute: str) -> Right:
    return Right(account=account, base=dn, attributes=(attribute,), access=AccessLevel.COMPARE)


def _canaries(params: Any, one: OneServer) -> Iterator[Right]:
    """Yield the rights to find and read the canaries of all agents, and to write their token.

    The doctor finds those of other balancers.
    """
    account, container = one.account, params.container
    reads = (MARK_ATTRIBUTE, *write.PROOF)
    yield from found_by(account, container, "one", ALL_ENTRIES, reads)
    yield Right(
        account=account,
        base=container,
        scope="one",
        attributes=(TOKEN_ATTRIBUTE,),
        access=AccessLevel.WRITE,
    )


def _write(params: Any, one: OneServer) -> Iterator[Right]:
    yield from _canaries(params, one)
    if params.search:
        wanted = f"({TOKEN_ATTRIBUTE}=*)"
        yield from found_by(one.account, params.container, "one", wanted)
    yield from _monitored(one.account, write.DATABASES, "one", write.DATABASE, write.UPDATE_REF)


def _propagation(params: Any, one: OneServer) -> Iterator[Right]:
    yield from _canaries(params, one)
    yield from _context_csn(one.account, one.base(params.base))


def _login(params: Any, one: OneServer) -> Iterator[Right]:
    """Yield the right to find the user, and the rights of the user if the settings name it."""
    base, user = one.base(params.base), one.user
    yield from found_by(one.account, base, "sub", params.filter, (), _only(params.filter))
    if not user:
        return
    yield from _password(user, params.password_policy)
    if params.attributes:
        yield from found_by(user, user, "base", attributes=params.attributes)
    if params.group:
        yield _compared(user, params.group, params.member_attribute)


def _context_csn(account: str, *bases: str) -> Iterator[Right]:
    for base in bases:
        for dn in (base, f"{SUBENTRY},{base}" if base else SUBENTRY):
            yield from found_by(account, dn, "base", attributes=(CONTEXT_CSN,))


def _replication(params: Any, one: OneServer) -> Iterator[Right]:
    yield from _context_csn(one.account, *params.contexts(one.server))
    yield from _links(params, one)


def _monitored(
    account: str, base: str, scope: Scope, filter_text: str, attributes: Iterable[str]
) -> Iterator[Right]:
    is_late = base.endswith(write.DATABASES)
    shown = [each for each in attributes if is_late or not each.startswith(LATE_ATTRIBUTES)]
    return found_by(account, base, scope, filter_text, shown)


def _links(_: Any, one: OneServer) -> Iterator[Right]:
    account, base = one.account, links.BASE
    yield from _monitored(account, base, "sub", links.FILTER, links.ATTRIBUTES)
    yield from _monitored(account, base, "one", "(namingContexts=*)", ("namingContexts",))


def _gauges(_: Any, one: OneServer) -> Iterator[Right]:
    for base, scope, filter_text in monitor_access.GAUGES:
        yield from _monitored(
            one.account, base, scope, filter_text, monitor_access.GAUGES_ATTRIBUTES
        )


def _entry_count(params: Any, one: OneServer) -> Iterator[Right]:
    yield from _context_csn(one.account, *params.contexts(one.server))
    yield from _gauges(params, one)


def _counters(_: Any, one: OneServer) -> Iterator[Right]:
    for rdns, scope in counters.READS:
        base = f"{rdns},{MONITOR}" if rdns else MONITOR
        yield from _monitored(one.account, base, scope, ALL_ENTRIES, counters.ATTRIBUTES)


def _operations(_: Any, one: OneServer) -> Iterator[Right]:
    attributes = (monitor.COMPLETED, monitor.INITIATED)
    yield from _monitored(one.account, monitor.BASE, "one", ALL_ENTRIES, attributes)


def _content(params: Any, one: OneServer) -> Iterator[Right]:
    base = one.base(params.base)
    yield from _context_csn(one.account, base)
    yield from found_by(one.account, base, "sub", "(|(objectClass=*)(entryUUID=*))", IDENTITY)


def _traffic(params: Any, one: OneServer) -> Iterator[Right]:
    account, base = one.account, params.base
    asked = traffic_survey.Window(0.0, 0.0).filter(("cn=x",))
    yield from found_by(account, base, "base")
    yield from found_by(account, base, "one", asked, traffic_survey.ATTRIBUTES)
    yield from _monitored(account, traffic_survey.CLOCK, "base", ALL_ENTRIES, ("monitorTimestamp",))


def _workload(params: Any, one: OneServer) -> Iterator[Right]:
    if params.file.content is not None:
        yield from workload_rights(params.file.content, one.account, one.server.suffix)


# By the kind of the check. Those of other packages are not known.
NEEDS: Mapping[str, Callable[[Any, OneServer], Iterable[Right]]] = {
    "connect": _none,
    "bind": _bind,
    "certificate": _none,
    "search": _search,
    "compare": _compare,
    "write": _write,
    "login": _login,
    "replication": _replication,
    "consumer": _links,
    "entry_count": _entry_count,
    "resources": _gauges,
    "counters": _counters,
    "monitor": _operations,
    "latency": _none,
    "unbind": _none,
    "session": _none,
    "content": _content,
    "propagation": _propagation,
    "traffic": _traffic,
    "workload": _workload,
    "forecast": _none,
}
