"""The rights of a whole cluster: by database, with the limits, and with what they leave out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from ldaphealth.model import Credentials
from ldaphealth.rights.needs import MONITOR, NEEDS, account_named, rights
from ldaphealth.rights.right import ANONYMOUS, EXTERNAL, Right, Schema, by_context
from ldaphealth.settings import Cluster, ConfiguredCheck

DEFAULT_LIMIT = 500  # entries, that of slapd (slapd.conf(5), sizelimit)
# How many entries a search of a kind of check may find, None: any number.
LIMITS: Mapping[str, Callable[[Any], int | None]] = {
    "search": lambda params: params.size_limit,
    "workload": lambda params: max(params.size_limit, params.most_values),
    "content": lambda _: None,
    "traffic": lambda _: None,
}
# These read contextCSN, entryCSN, cn=Monitor or cn=accesslog.
OF_OPENLDAP = frozenset(
    {"replication", "consumer", "entry_count", "resources", "counters", "monitor", "content"}
    | {"traffic"}
)
# A check of these kinds with an account of its own tries what that account may do by the rules of
# the server: those are not changed for it.
AS_OTHERS = frozenset({"search", "compare", "login"})
NOTES = {
    "content": "content compares what the account can read, here entryUUID and entryCSN",
    "values": "the values of an attribute are compared if the account may read them: add their "
    "names to the rule with entryUUID",
    "user": "the user reads what the rules of the server let users read: nothing is added for it",
    "other": "it runs as {}, and tries what that account may do: nothing is added for it",
    "OpenLDAP": "it reads what OpenLDAP alone has",
    "unknown": "it is of another package, which says what it needs",
    "no file": "the file of the workload was not read",
    "external": "the DN of the account is known to the server only: set --account",
    "no DN": "{} is not a DN: add the rights with the tools of the server",
}


class Part(Struct, frozen=True, kw_only=True):
    """The rights in one naming context, the checks that need them, and the limits by account."""

    context: str
    rights: tuple[Right, ...]
    checks: tuple[str, ...]
    limits: Mapping[str, int | None]


class Plan(Struct, frozen=True, kw_only=True):
    """What a cluster needs: the parts by naming context, and a note for what is left out."""

    parts: tuple[Part, ...]
    notes: tuple[str, ...]


def plan(cluster: Cluster, *, schemas: frozenset[Schema], with_others: bool, account: str) -> Plan:
    """Return the rights of all checks of a cluster, on servers that have these schemas.

    Without Schema.OPENLDAP those of checks that work with OpenLDAP alone are left out.
    `with_others`: also those of accounts that are not for ldaphealth. `account` is the DN of
    EXTERNAL, "" if it is not known.
    """
    needed: dict[Right, list[str]] = {}
    is_openldap = Schema.OPENLDAP in schemas
    for configured in cluster.checks:
        if configured.check.name in OF_OPENLDAP and not is_openldap:
            continue
        own = {account_named(each.credentials) for each in cluster.servers_of(configured)}
        is_free = with_others or configured.check.name not in AS_OTHERS
        for each in rights(cluster, configured):
            if (is_free or each.account in own) and each.schema in schemas:
                of = account if each.account == EXTERNAL else each.account
                needed.setdefault(replace(each, account=of), []).append(configured.name)
    contexts = by_context(filter(_has_dn, needed), _contexts(cluster))
    parts = [
        Part(
            context=context,
            rights=of,
            checks=(*dict.fromkeys(name for right in of for name in needed[right]),),
            limits={} if context == MONITOR else _limits(cluster, of, needed),
        )
        for context, of in contexts.items()
    ]
    notes = [*_notes(cluster, [*needed], with_others=with_others)]
    if not is_openldap:
        left_out = [each.name for each in cluster.checks if each.check.name in OF_OPENLDAP]
        notes += [f"{name}: {NOTES['OpenLDAP']}" for name in left_out]
    return Plan(parts=(*parts,), notes=(*notes,))


def openldap_schemas(cluster: Cluster, *, has_policy: bool = False) -> frozenset[Schema]:
    """Return what slapd has loaded: slapo-ppolicy if a setting names a password policy."""
    names_one = any(getattr(each.params, "password_policy", "") for each in cluster.checks)
    policy = {Schema.PPOLICY} if has_policy or names_one else set()
    return frozenset({Schema.ANY, Schema.OPENLDAP} | policy)


def accounts(cluster: Cluster) -> list[Credentials]:
    """Return the credentials that are for ldaphealth alone, each account once."""
    used = [server.credentials for server in cluster.servers]
    used += [
        each.credentials
        for each in cluster.checks
        if each.credentials is not None and each.check.name not in AS_OTHERS
    ]
    return [*{account_named(each): each for each in used}.values()]


def _has_dn(right: Right) -> bool:
    """Return whether a rule can name the account: it is a DN, and no `user@domain`."""
    return "=" in right.account or right.account in (ANONYMOUS, EXTERNAL)


def _contexts(cluster: Cluster) -> list[str]:
    """Return the naming contexts that the settings name, the suffix first and cn=Monitor last."""
    found = [server.suffix for server in cluster.servers]
    found += [base for server in cluster.servers for base in server.bases]
    logs = []
    for each in cluster.checks:
        if each.check.name in ("replication", "entry_count"):
            found += [base for server in cluster.servers for base in each.params.contexts(server)]
        if each.check.name == "traffic":
            logs.append(each.params.base)
    return [*dict.fromkeys([*found, *logs, MONITOR])]


def _limits(
    cluster: Cluster, of: Iterable[Right], needed: Mapping[Right, list[str]]
) -> dict[str, int | None]:
    """Return by account how many entries a search may find, where that is more than usual."""
    checks = {each.name: each for each in cluster.checks}
    found: dict[str, int | None] = {}
    for right in of:
        for check in (checks[name] for name in needed[right]):
            size = LIMITS.get(check.check.name, _usual)(check.params)
            known = found.get(right.account, DEFAULT_LIMIT)
            if right.account != ANONYMOUS and (size is None or known is None):
                found[right.account] = None
            elif size is not None and known is not None and size > known:
                found[right.account] = size
    return found


def _usual(_: object) -> int:
    return DEFAULT_LIMIT


def _notes(cluster: Cluster, needed: Sequence[Right], *, with_others: bool) -> Iterator[str]:
    """Yield a sentence on each thing that the rights do not cover."""
    accounts_named = {right.account for right in needed}
    if EXTERNAL in accounts_named:
        yield NOTES["external"]
    yield from (
        NOTES["no DN"].format(each)
        for each in dict.fromkeys(right.account for right in needed if not _has_dn(right))
    )
    for each in cluster.checks:
        yield from (f"{each.name}: {note}" for note in _notes_on(cluster, each, with_others))


def _notes_on(cluster: Cluster, configured: ConfiguredCheck, with_others: bool) -> Iterator[str]:
    kind, params = configured.check.name, configured.params
    if kind not in NEEDS:
        yield NOTES["unknown"]
    if kind == "content":
        yield NOTES["content"]
        if params.values:
            yield NOTES["values"]
    if kind == "workload" and params.file.content is None:
        yield NOTES["no file"]
    if kind == "login" and not (
        with_others and configured.credentials and configured.credentials.dn
    ):
        yield NOTES["user"]
    others = {account_named(each) for each in (configured.credentials,) if each is not None} - {
        account_named(server.credentials) for server in cluster.servers
    }
    if kind in AS_OTHERS - {"login"} and others and not with_others:
        yield NOTES["other"].format(*others)
