"""The configuration as plain data with comments, and what could not be seen.

`configuration_text.py` prints it; `trial.py` loads it as the program loads a file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from ldaphealth.checks import BUILT_IN, OFF_WITHOUT_SETTINGS
from ldaphealth.discover.roles import FoundRole
from ldaphealth.discover.secure_session import ServerAccess
from ldaphealth.discover.server_facts import ServerFacts
from ldaphealth.discover.servers import FoundServer
from ldaphealth.ldap.endpoint import parse_uri
from ldaphealth.model import BindMethod, Role, Tls
from ldaphealth.text.quantity import quantity

LONGEST_NAME = 64
ACCOUNT = "probe"
OFF = "off"
DEFAULT_CLUSTER = "ldap"
UNFIT = re.compile(r"[^A-Za-z0-9._-]+")
DC = re.compile(r"dc=([A-Za-z0-9_-]{1,63})", re.IGNORECASE | re.ASCII)

Place = tuple[str, ...]  # the keys that lead to a value


class Draft(Struct, kw_only=True):
    """The content of a configuration file, and comments above its keys."""

    cluster: str
    data: dict[str, Any]
    comments: dict[Place, list[str]]

    @property
    def checks(self) -> dict[str, Any]:
        """Return the settings of the checks, to be changed."""
        checks: dict[str, Any] = self.data["clusters"][self.cluster]["checks"]
        return checks

    def sort_checks(self) -> None:
        """Put the checks into the order of a session, and name those that have their defaults."""
        kinds = [*BUILT_IN]
        of = self.data["clusters"][self.cluster]
        of["checks"] = dict(sorted(self.checks.items(), key=lambda each: _place(each, kinds)))
        on = [each for each in kinds if each not in {*OFF_WITHOUT_SETTINGS, *self.checks}]
        place = ("clusters", self.cluster, "checks")
        self.comments[place] = [f"also on, with their defaults: {', '.join(on)}"]

    def comment_on_check(self, name: str, text: str) -> None:
        """Add a line above a check."""
        self.comments.setdefault(("clusters", self.cluster, "checks", name), []).append(text)

    def set_check(self, name: str, settings: Mapping[str, Any]) -> None:
        """Add settings to a check, unless it is off."""
        if self.checks.get(name) != OFF:
            self.checks[name] = {**(self.checks.get(name) or {}), **settings}


def _place(check: tuple[str, Any], kinds: Sequence[str]) -> int:
    name, settings = check
    kind = settings.get("check", name) if isinstance(settings, dict) else name
    return kinds.index(kind if kind in kinds else "search")


def domain_of(base: str) -> str:
    """Return the DNS domain of a naming context (RFC 2247), "" if it has another form."""
    parts = [DC.fullmatch(each.strip()) for each in base.split(",")]
    return ".".join(each[1].lower() for each in parts if each) if all(parts) else ""


def main_contexts(servers: Sequence[ServerFacts]) -> tuple[str, ...]:
    """Return the naming contexts with data, the one that names the cluster first.

    A context such as cn=accesslog is left out: it is a log of one server.
    """
    known = dict.fromkeys(
        each.dn for facts in servers for each in facts.contexts if not is_log(each.dn)
    )
    default = next((f.root_dse.default_naming_context for f in servers), "")

    def rank(dn: str) -> tuple[bool, bool, bool]:
        of = [context for facts in servers if (context := facts.context(dn))]
        return (
            dn.lower() != default.lower(),
            not any(each.context_csn for each in of),
            all(each.refused_by for each in of),
        )

    unique = {dn.lower(): dn for dn in reversed(known)}
    return tuple(sorted((dn for dn in known if unique[dn.lower()] == dn), key=rank))


def is_log(dn: str) -> bool:
    """Return whether a naming context is of the kind cn=accesslog, slapo-accesslog(5)."""
    return dn.lower().startswith("cn=") and "," not in dn


def server_names(uris: Sequence[str]) -> list[str]:
    """Return a name for each server: the first label of its host, more of it where that is not one.

    All names are different, and valid in a configuration.
    """
    endpoints = [parse_uri(each) for each in uris]
    forms = [
        [_short(each.host) for each in endpoints],
        [each.host for each in endpoints],
        [f"{each.host}-{each.port}" for each in endpoints],
    ]
    for form in forms:
        names = [UNFIT.sub("-", each).strip("-.")[:LONGEST_NAME] for each in form]
        if len({*names}) == len(names) and all(names):
            return names
    return [f"server{number}" for number in range(1, len(uris) + 1)]


def _short(host: str) -> str:
    """Return the first label of a name, the whole of an address."""
    is_address = ":" in host or host.rpartition(".")[2].isdigit()
    return host if is_address else host.partition(".")[0]


def make_draft(
    cluster: str,
    servers: Sequence[FoundServer],
    roles: Sequence[FoundRole],
    contexts: Sequence[str],
    access: ServerAccess,
) -> Draft:
    """Return the configuration without measured thresholds; the first context is the suffix."""
    facts = [each.facts for each in servers]
    names = server_names([each.uri for each in facts])
    common_tls = _common_tls(facts)
    entry: dict[str, Any] = {"suffix": contexts[0]} if contexts else {}
    data: dict[str, Any] = {}
    if access.credentials.method is BindMethod.SIMPLE:
        of = access.credentials
        data["credentials"] = {ACCOUNT: {"dn": of.dn, "password_file": of.password_file}}
        entry["credentials"] = ACCOUNT
    if written := _written_tls(common_tls):
        entry["tls"] = written
    entry["servers"] = {}
    draft = Draft(cluster=cluster, data={**data, "clusters": {cluster: entry}}, comments={})
    replicated = [base for base in contexts if _holders(facts, base, with_csn=True)]
    for name, server, role in zip(names, servers, roles, strict=True):
        entry["servers"][name] = _server(server.facts, role, common_tls, replicated)
        place = ("clusters", cluster, "servers", name)
        draft.comments[place] = [*_about(server, role)]
    entry["checks"] = {}
    _add_searches(draft, facts, names, contexts)
    _add_replication(draft, facts, replicated)
    return draft


def _common_tls(servers: Sequence[ServerFacts]) -> Tls:
    """Return the TLS of most servers with ldap://, or with ldaps:// if there is no other."""
    plain = [each.tls for each in servers if not parse_uri(each.uri).is_tls]
    known = plain or [each.tls for each in servers]
    return max(dict.fromkeys(known), key=known.count)


def _written_tls(tls: Tls) -> dict[str, Any]:
    start_tls = {} if tls.start_tls is None else {"start_tls": tls.start_tls}
    return start_tls | ({"ca_file": tls.ca_file} if tls.ca_file else {})


def _server(
    facts: ServerFacts, role: FoundRole, common_tls: Tls, replicated: Sequence[str]
) -> dict[str, Any] | str:
    entry: dict[str, Any] = {"uri": facts.uri}
    if role.role is not Role.PROVIDER:
        entry["role"] = str(role.role)
    if role.poll_interval_seconds:
        entry["poll_interval_seconds"] = role.poll_interval_seconds
    if facts.tls != common_tls:
        entry["tls"] = _written_tls(facts.tls)
    if any(facts.context(base) is None for base in replicated):
        entry["bases"] = [each.dn for each in facts.contexts if not is_log(each.dn)]
    return facts.uri if len(entry) == 1 else entry


def _about(server: FoundServer, role: FoundRole) -> Iterator[str]:
    """Yield what is known of a server, and how it is known."""
    facts = server.facts
    what = facts.monitor.version or facts.root_dse.vendor
    ids = ", ".join(facts.config.server_ids[:4])
    shown = "; ".join(filter(None, (server.evidence, what, f"server ID {ids}" if ids else "")))
    yield shown
    unsure = "" if role.is_known else "not known, so provider is assumed: "
    yield f"role: {unsure}{role.evidence}"
    if role.poll_interval_seconds:
        yield f"it polls, by {role.polls_by}"
    yield from server.also
    if facts.no_tls:
        yield f"without TLS: {facts.no_tls}"


def _holders(
    servers: Sequence[ServerFacts], base: str, *, with_csn: bool = False
) -> list[ServerFacts]:
    """Return the servers on which a search finds the entry of a naming context."""
    found = ((each, each.context(base)) for each in servers)
    return [
        each
        for each, context in found
        if context and not context.refused_by and (context.context_csn or not with_csn)
    ]


def _add_searches(
    draft: Draft, facts: Sequence[ServerFacts], names: Sequence[str], contexts: Sequence[str]
) -> None:
    """Add a search of each naming context, on the servers where it finds something."""
    for number, base in enumerate(contexts, 1):
        holders = _holders(facts, base)
        only = [name for name, each in zip(names, facts, strict=True) if each in holders]
        name = "search" if number == 1 else f"search_{number}"
        if not only:
            if number == 1:
                draft.checks[name] = OFF
                draft.comment_on_check(name, f"{base} cannot be read on any server, see below")
            continue
        settings: dict[str, Any] = {} if number == 1 else {"check": "search", "base": base}
        if len(only) < len(names):
            settings["only"] = only
        draft.checks[name] = settings
    if not contexts:
        draft.checks["search"] = {"effect": "watch"}
        draft.comment_on_check("search", "of the root DSE: no naming context is known (--base)")


def _add_replication(draft: Draft, facts: Sequence[ServerFacts], replicated: Sequence[str]) -> None:
    """Add the comparison of the naming contexts that show contextCSN."""
    if not replicated:
        draft.checks["replication"] = OFF
        draft.comment_on_check("replication", "no server shows contextCSN, see below")
        return
    draft.checks["replication"] = {"bases": [*replicated]}
    for base in replicated:
        holders = _holders(facts, base, with_csn=True)
        ids = {csn.split("#")[2] for f in holders for csn in _csns(f, base) if csn.count("#") == 3}  # noqa: PLR2004
        shown = ", ".join(sorted(ids)[:16])
        where = f"on {quantity(len(holders), 'server')}, of server IDs {shown}"
        draft.comment_on_check("replication", f"contextCSN of {base} {where}")


def _csns(facts: ServerFacts, base: str) -> tuple[str, ...]:
    context = facts.context(base)
    return context.context_csn if context else ()


def search_names(checks: Mapping[str, Any]) -> Iterable[str]:
    """Return the names of the searches that are on."""
    return [each for each in checks if each.startswith("search") and checks[each] != OFF]
