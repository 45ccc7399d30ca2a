"""Access control instructions of 389 Directory Server (its Administration Guide, "ACI syntax")."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

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

SCOPES = {"base": "base", "one": "onelevel", "sub": "subtree", "subordinate": "subordinate"}
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
    """Return one ACI."""
    parts = [
        f'(target="ldap:///{right.base}")',
        f'(targetscope="{SCOPES[right.scope]}")',
        f'(targetattr="{" || ".join(right.attributes)}")',
    ]
    if right.filter:
        parts.append(f'(targetfilter="{right.filter}")')
    allowed = ALLOWED[right.access]
    return (
        f'{"".join(parts)}(version 3.0; acl "ldaphealth: {right.access.name.lower()}"; '
        f'allow ({allowed}) userdn="ldap:///{_who(right.account)}";)'
    )


def as_ldif(suffix: str, acis: Iterable[str]) -> Iterator[str]:
    """Yield the LDIF that adds them to the entry of the suffix."""
    return ldif_modification(suffix, {"aci": acis})


def _who(account: str) -> str:
    if account == ANONYMOUS:
        return "anyone"
    return EXTERNAL_DN if account == EXTERNAL else account


def _shown(right: Right) -> Right:
    names = (OBJECT_CLASS if each == ENTRY else each for each in right.attributes)
    return replace(
        right, attributes=(*dict.fromkeys(each for each in names if each not in OPENLDAP),)
    )
