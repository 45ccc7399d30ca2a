"""The LDIF that gives an account the rights of certain checks, and of no others. Pure.

rights/ has the rules; here they are for the servers that lack them.
"""

from __future__ import annotations

from collections.abc import Container, Iterator

from msgspec.structs import replace

from ldaphealth.rights.needs import MONITOR
from ldaphealth.rights.plan import Part, openldap_schemas, plan
from ldaphealth.rights.right import Schema
from ldaphealth.rights.slapd_rules import LIST_DATABASES, as_config, limit, rules_for
from ldaphealth.settings import Cluster

NAMES = {True: "{2}monitor", False: "{1}mdb"}  # as slapd numbers them with one database of data


def missing_rights(cluster: Cluster, checks: Container[str], context: str = "") -> Iterator[str]:
    """Yield an LDIF for each database of slapd with what these checks need there.

    `context`: only that of the database with this naming context.
    """
    alone = replace(cluster, checks=tuple(each for each in cluster.checks if each.name in checks))
    planned = plan(alone, schemas=openldap_schemas(cluster), with_others=False, account="")
    for part in planned.parts:
        if not context or part.context == context:
            yield "\n".join(_lines(part))


def _lines(part: Part) -> Iterator[str]:
    name = NAMES[part.context == MONITOR]
    yield "# SET THIS: the name of the database, which this shows to root on the server:"
    yield f"#   {LIST_DATABASES}"
    limits = [limit(account, size) for account, size in part.limits.items()]
    yield from as_config(name, rules_for(part.rights, Schema), limits)
