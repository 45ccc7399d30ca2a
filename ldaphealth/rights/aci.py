"""Access control instructions of 389 Directory Server (its Administration Guide, "ACI syntax")."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from urllib.parse import quote

from msgspec.structs import replace

from ldaphealth.ldap.search_filter import assertion, both
from ldaphealth.rights.right import (
    ANONYMOUS,
    ENTRY,
    EXTERNAL,
    OBJECT_CLASS,
    AccessLevel,
    Right,
    Schema,
    minimal,
)
from ldaphealth.rights.slapd_rules import EXTERNAL_DN
from ldaphealth.text.ldif import ldif_modification

ALLOWED = {
    AccessLevel.AUTH: "",  # a bind needs no right
    AccessLevel.COMPARE: "compare",
    AccessLevel.SEARCH: "search, compare",
    AccessLevel.READ: "read, search, compare",
    AccessLevel.WRITE: "write, read, search, compare",
}
# Attributes of OpenLDAP alone; 389 refuses an ACI with an attribute that its schema lacks.
OPENLDAP = ("contextCSN", "entryCSN")


def acis_for(rights: Iterable[Right]) -> list[str]:
    """Return the ACIs that give these rights, for the entry of the suffix.

    An entry is found by who may read one of its attributes, so `objectClass` stands for it.
    """
    known = (Schema.ANY, Schema.DIRECTORY_389)
    shown = [_shown(each) for each in rights if each.schema in known and ALLOWED[each.access]]
    return [aci(each) for each in minimal(each for each in shown if each.attributes)]


def aci(right: Right) -> str:
    """Return one ACI.

    It has no scope: that of a target is its subtree. A right to one entry is bounded by a filter on
    the DN of the entry (`entrydn`). One to its children is given to all entries below it.
    """
    parts = [
        f'(target="ldap:///{_in_url(right.base)}")',
        f'(targetattr="{" || ".join(right.attributes)}")',
    ]
    if wanted := _filter(right):
        parts.append(f'(targetfilter="{wanted}")')
    allowed = ALLOWED[right.access]
    return (
        f'{"".join(parts)}(version 3.0; acl "ldaphealth: {right.access.name.lower()}"; '
        f'allow ({allowed}) userdn="ldap:///{_who(right.account)}";)'
    )


def _filter(right: Right) -> str:
    """Return the filter for the entries of a right, "" for all in the subtree."""
    entry = assertion("entrydn", right.base)
    bound = {"base": entry, "sub": ""}.get(right.scope, f"(!{entry})")
    return both(right.filter, bound) if right.filter and bound else right.filter or bound


def as_ldif(suffix: str, acis: Iterable[str]) -> Iterator[str]:
    """Yield the LDIF that adds them to the entry of the suffix."""
    return ldif_modification(suffix, {"aci": acis})


def _who(account: str) -> str:
    if account == ANONYMOUS:
        return "anyone"
    return _in_url(EXTERNAL_DN if account == EXTERNAL else account)


def _in_url(dn: str) -> str:
    """Return a DN as it stands in an LDAP URL (RFC 4516 2.1), within quotes."""
    return quote(dn, safe="=,+ ")


def _shown(right: Right) -> Right:
    names = (OBJECT_CLASS if each == ENTRY else each for each in right.attributes)
    return replace(
        right, attributes=(*dict.fromkeys(each for each in names if each not in OPENLDAP),)
    )
