"""Access rules and limits of OpenLDAP (slapd.access(5), slapd.conf(5), slapd-config(5))."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec.structs import replace

from ldaphealth.rights.needs import LATE_ATTRIBUTES
from ldaphealth.rights.right import ANONYMOUS, EVERY, EXTERNAL, Right, Schema, minimal
from ldaphealth.text.ldif import ldif_modification

EXTERNAL_DN = "cn=SET THIS to what ldapwhoami shows,cn=external,cn=auth"
SCOPES = {"base": "base", "one": "one", "sub": "subtree", "subordinate": "children"}
# For root on the server itself (slapd-config(5)).
AS_ROOT = "-Q -Y EXTERNAL -H ldapi:///"
LIST_DATABASES = f"ldapsearch -LLL {AS_ROOT} -b cn=config '(olcDatabase=*)' olcSuffix olcAccess"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def rules_for(rights: Iterable[Right], schemas: Iterable[Schema] = ()) -> list[str]:
    """Return the rules that give these rights, each from `to` on, for one database of slapd.

    They begin with the strongest, must stand before the rules of the server, and leave all other
    accounts to those. `schemas` are those that the servers have loaded.
    """
    known = {Schema.ANY, *schemas}
    return [_rule(each) for each in minimal(_widened(r) for r in rights if r.schema in known)]


def _widened(right: Right) -> Right:
    """Return the right to all attributes in place of that to some that slapd knows late.

    They begin with LATE_ATTRIBUTES. slapd knows those of a database only when it has read that
    database. A database monitor before it whose rules name them keeps slapd from starting.
    """
    is_late = any(each.startswith(LATE_ATTRIBUTES) for each in right.attributes)
    return replace(right, attributes=(EVERY,)) if is_late else right


def _rule(right: Right) -> str:
    what = [f'dn.{SCOPES[right.scope]}="{_quoted(right.base)}"']
    if right.filter:
        what.append(f'filter="{_quoted(right.filter)}"')
    if EVERY not in right.attributes:
        what.append(f"attrs={','.join(right.attributes)}")
    return f"to {' '.join(what)} by {_who(right.account)} {right.access.name.lower()} by * break"


def limit(account: str, entries: int | None) -> str:
    """Return the value of `limits`: how many entries a search of the account may find."""
    return f"{_who(account)} size={'unlimited' if entries is None else entries}"


def as_slapd_conf(rules: Sequence[str], limits: Sequence[str]) -> Iterator[str]:
    """Yield the lines for the section of a database in slapd.conf(5)."""
    yield from (f"access {each}" for each in rules)
    yield from (f"limits {each}" for each in limits)


def as_config(database: str, rules: Sequence[str], limits: Sequence[str]) -> Iterator[str]:
    """Yield the LDIF for a database of cn=config: before the rules and limits that it has."""
    added: Mapping[str, Sequence[str]] = {"olcAccess": rules, "olcLimits": limits}
    yield from ldif_modification(
        f"olcDatabase={database},cn=config",
        {
            name: [f"{{{place}}}{each}" for place, each in enumerate(values)]
            for name, values in added.items()
            if values
        },
    )


def _who(account: str) -> str:
    if account == ANONYMOUS:
        return ANONYMOUS
    return f'dn.exact="{_quoted(EXTERNAL_DN if account == EXTERNAL else account)}"'


def _quoted(text: str) -> str:
    """Escape a DN or a filter for quotes in a configuration line (slapd.conf(5))."""
    printable = _CONTROL.sub(lambda found: f"\\{ord(found[0]):02x}", text)
    return printable.replace("\\", "\\\\").replace('"', '\\"')
