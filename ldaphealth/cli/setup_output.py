"""The work of `ldaphealth setup`: the settings, the parts, and their comments."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from shlex import quote
from typing import Any

import click
from msgspec import Struct

from ldaphealth.checks.canary import NAME
from ldaphealth.cli.canary_entries import Entries, entries_of
from ldaphealth.cli.targets import clusters_named, load_config, read_agent_config
from ldaphealth.config import load_without_files
from ldaphealth.ldap.names import is_attribute, parse_dn
from ldaphealth.model import BindMethod, Role, comparable_dn
from ldaphealth.rights.aci import acis_for, as_ldif
from ldaphealth.rights.entries import account_entries, container_entries, with_class
from ldaphealth.rights.needs import MONITOR
from ldaphealth.rights.plan import Part, Plan, accounts, openldap_schemas, plan
from ldaphealth.rights.right import Schema
from ldaphealth.rights.slapd_rules import (
    AS_ROOT,
    LIST_DATABASES,
    as_config,
    as_slapd_conf,
    limit,
    rules_for,
)
from ldaphealth.settings import Cluster
from ldaphealth.text.ldif import ldif_entry
from ldaphealth.text.printable import printable

COLUMNS = 80
CONFIG, SLAPD_CONF, DIRECTORY_389 = "cn=config", "slapd.conf", "389"
OF_RULES = {
    CONFIG: f"""\
As root on each server, because cn=config is not replicated unless you set that up:
  ldaphealth setup --part rules > rules.ldif
  ldapmodify {AS_ROOT} -f rules.ldif
A second time is refused: `Type or value exists`. The names of the databases, and their rules:
  {LIST_DATABASES}""",
    SLAPD_CONF: """\
Into slapd.conf(5) of each server: in the section of the database that is named, before its own \
rules. Then restart slapd.""",
    DIRECTORY_389: """\
As the directory manager, at one provider, since ACIs are replicated:
  ldaphealth setup --for 389 --part rules > rules.ldif
  ldapmodify -x -D 'cn=Directory Manager' -W -H ldap://HOST -f rules.ldif""",
}
NO_RULES = """\
They stand before the rules that a database has, and leave all other accounts to those. A database \
without any rule lets everybody read everything; with these rules it does not. If that is wanted, \
give it the rule `to * by * read` first."""
LATE = """\
Below cn=Databases all attributes can be read: slapd knows those of a database only when it has \
read its settings, and a rule that names them could keep it from starting."""
OF_ENTRIES = """\
Into the data, as its administrator, at one provider. Entries that exist are not changed:
  ldaphealth setup --part entries > entries.ldif
  ldapadd -c -x -D {admin} -W -H {uri} -f entries.ldif
With -ZZ if the password must not go in the clear on ldap://."""
OF_ACCOUNT = """\
Nobody can bind as {dn} before its password is set, that of {place}:
  ldappasswd -x -D {admin} -W -S -H {uri} {quoted_dn}"""


class Wishes(Struct, frozen=True, kw_only=True):
    """What the command line says: each is one of its options."""

    rules: str
    part: str
    agents: tuple[str, ...]
    databases: tuple[str, ...]
    has_policy: bool
    with_others: bool
    account: str
    object_class: str


def print_setup(
    names: Collection[str], config_file: Path, wishes: Wishes, *, as_json: bool
) -> None:
    """Print what to add for these clusters, or all; click.ClickException for bad input."""
    _check(wishes)
    read = partial(read_agent_config, loader=load_without_files)
    clusters = clusters_named(load_config(config_file, read), names, config_file)
    databases = _databases(wishes.databases, clusters)
    plans = {each.name: _plan(each, wishes) for each in clusters}
    if as_json:
        documents = [_document(each, plans[each.name], wishes, databases) for each in clusters]
        click.echo(json.dumps(documents, indent=2))
        return
    for each in clusters:
        if wishes.part != "rules":
            click.echo("\n".join(_entries_text(each, wishes, config_file)))
        if wishes.part != "entries":
            found = _rules_text(each, plans[each.name], wishes, databases, config_file)
            click.echo("\n".join(found))


def _check(wishes: Wishes) -> None:
    """Raise click.UsageError for the first wish that cannot be."""
    for each in wishes.agents:
        if not NAME.fullmatch(each):
            raise click.UsageError(
                f"--agent {each!r}: letters, digits, dots, dashes and underscores, 64 at most"
            )
    if wishes.object_class and not is_attribute(wishes.object_class):
        raise click.UsageError(f"--object-class {wishes.object_class!r}: not a name (RFC 4512)")
    try:
        parse_dn(wishes.account)
    except ValueError as error:
        raise click.UsageError(f"--account: {error}") from error


def _plan(cluster: Cluster, wishes: Wishes) -> Plan:
    schemas = openldap_schemas(cluster, has_policy=wishes.has_policy)
    if wishes.rules == DIRECTORY_389:
        schemas = frozenset({Schema.ANY, Schema.DIRECTORY_389})
    return plan(
        cluster,
        schemas=schemas,
        with_others=wishes.with_others,
        account=wishes.account,
    )


def _databases(given: Iterable[str], clusters: Iterable[Cluster]) -> dict[str, str]:
    """Return the names of databases by their suffix; click.UsageError if one is not understood."""
    found = {}
    for each in given:
        suffix, separator, name = each.rpartition("=")
        if not separator or not name.startswith("{"):
            example = next((f"{cluster.servers[0].suffix}={{1}}mdb" for cluster in clusters), "")
            raise click.UsageError(f"--database {each!r}: not SUFFIX=NAME, such as '{example}'")
        found[comparable_dn(suffix)] = name
    return found


def _database(part: Part, number: int, databases: Mapping[str, str]) -> tuple[str, str]:
    """Return the name of a database in cn=config, and a comment if it is a guess."""
    known = databases.get(comparable_dn(part.context))
    if known is not None:
        return known, ""
    guess = f"{{{number}}}{'monitor' if part.context == MONITOR else 'mdb'}"
    return guess, f"; SET THIS: the name, or --database '{part.context}={guess}'"


def _parts(plan_of: Plan, wishes: Wishes) -> list[Part]:
    """Return the parts that a kind of server has."""
    if wishes.rules != DIRECTORY_389:
        return [*plan_of.parts]
    return [each for each in plan_of.parts if each.context != MONITOR and acis_for(each.rights)]


def _rules_of(part: Part, wishes: Wishes, database: str) -> Iterator[str]:
    if wishes.rules == DIRECTORY_389:
        return as_ldif(part.context, acis_for(part.rights))
    rules = rules_for(part.rights, Schema)
    limits = [limit(account, size) for account, size in part.limits.items()]
    if wishes.rules == SLAPD_CONF:
        return as_slapd_conf(rules, limits)
    return as_config(database, rules, limits)


def _rules_text(
    cluster: Cluster,
    plan_of: Plan,
    wishes: Wishes,
    databases: Mapping[str, str],
    config_file: Path,
) -> Iterator[str]:
    yield from _comments(f"Access rules for {cluster.name}, made from {config_file}.")
    if wishes.rules != DIRECTORY_389:
        yield from _comments(NO_RULES)
    yield from _comments(OF_RULES[wishes.rules])
    for note in plan_of.notes:
        yield from _comments(f"- {note}")
    for number, part in enumerate(_parts(plan_of, wishes), 1):
        database, guess = _database(part, number, databases)
        is_config = wishes.rules == CONFIG
        yield ""
        yield from _comments(
            f"The database {part.context!r}, for {', '.join(part.checks)}"
            f"{guess if is_config else ''}"
        )
        if part.context == MONITOR:
            yield from _comments(LATE)
        yield from _rules_of(part, wishes, database)
    if wishes.rules != CONFIG:
        yield ""


def _entries_text(cluster: Cluster, wishes: Wishes, config_file: Path) -> Iterator[str]:
    words = _words(cluster)
    yield from _comments(f"Entries for {cluster.name}, made from {config_file}.")
    yield from _comments(OF_ENTRIES.format_map(words))
    for each in accounts(cluster):
        if each.method is BindMethod.SIMPLE and "=" in each.dn:
            place = each.password_file or f"${each.password_env}"
            named = {**words, "dn": each.dn, "quoted_dn": quote(each.dn), "place": place}
            yield from _comments(OF_ACCOUNT.format_map(named))
    yield ""
    for dn, attributes in _entries(cluster, wishes).items():
        yield from ldif_entry(dn, attributes)


def _words(cluster: Cluster) -> dict[str, str]:
    """Return what stands in the commands: a provider, and its administrator."""
    providers = [each for each in cluster.servers if each.role is Role.PROVIDER]
    server = (providers or [*cluster.servers])[0]
    return {"uri": quote(server.uri), "admin": quote(f"cn=admin,{server.suffix}")}


def _entries(cluster: Cluster, wishes: Wishes) -> Entries:
    """Return the accounts, the containers and the canaries of all agents, by DN."""
    suffix = cluster.servers[0].suffix
    found: dict[str, Mapping[str, tuple[str, ...]]] = {}
    for each in accounts(cluster):
        if each.method is BindMethod.SIMPLE and "=" in each.dn:
            found |= dict(account_entries(each.dn, suffix))
    canaries: dict[str, Mapping[str, tuple[str, ...]]] = {}
    for agent in wishes.agents or ("",):
        canaries |= entries_of(cluster, agent)
    for check in cluster.checks:
        container = getattr(check.params, "container", "")
        if container:
            found = {**dict(container_entries(container, suffix)), **found}
    return with_class([*found.items(), *canaries.items()], wishes.object_class)


def _document(
    cluster: Cluster, plan_of: Plan, wishes: Wishes, databases: Mapping[str, str]
) -> dict[str, Any]:
    """Return what is printed of a cluster, for programs."""
    document: dict[str, Any] = {"cluster": cluster.name}
    if wishes.part != "rules":
        document["entries"] = _entries(cluster, wishes)
    if wishes.part != "entries":
        document["rules"] = [
            {
                "context": part.context,
                "checks": part.checks,
                "lines": [*_rules_of(part, wishes, _database(part, number, databases)[0])],
            }
            for number, part in enumerate(_parts(plan_of, wishes), 1)
        ]
        document["notes"] = plan_of.notes
    return document


def _comments(text: str) -> Iterator[str]:
    """Yield lines of comment; those that begin with a space are commands, and are not broken."""
    for each in text.splitlines():
        shown = printable(each, 1000)
        if each.startswith(" "):
            yield f"# {shown}"
        else:
            yield from textwrap.wrap(
                shown,
                COLUMNS,
                initial_indent="# ",
                subsequent_indent="# ",
                break_long_words=False,
                break_on_hyphens=False,
            )
