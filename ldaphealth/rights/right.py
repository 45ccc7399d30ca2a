"""A right: what one account may do with some attributes of some entries.

The levels of access are those of slapd.access(5), each of which includes those before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum, StrEnum
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from ldaphealth.model import comparable_dn, is_in_context

EVERY = "*"  # each attribute, and the entry itself
ENTRY = "entry"  # the entry itself, a pseudo-attribute of slapd.access(5)
OBJECT_CLASS = "objectClass"
ANONYMOUS = "anonymous"
EXTERNAL = ""  # the account of SASL EXTERNAL, whose DN only the server knows

Scope = Literal["base", "one", "sub", "subordinate"]


class AccessLevel(IntEnum):
    """The levels of slapd.access(5) that checks need."""

    AUTH = 1
    COMPARE = 2
    SEARCH = 3
    READ = 4
    WRITE = 5


class Schema(StrEnum):
    """What a server must have so that it knows the attributes of a right."""

    ANY = ""
    OPENLDAP = "OpenLDAP"
    PPOLICY = "slapo-ppolicy(5)"
    DIRECTORY_389 = "389 Directory Server"


class Right(Struct, frozen=True, kw_only=True):
    """Access to attributes of the entries at `base`, in a scope, that match a filter ("": all).

    `account` is a DN, ANONYMOUS or EXTERNAL. A server without `schema` refuses a rule that names
    these attributes.
    """

    account: str
    base: str
    scope: Scope = "base"
    filter: str = ""
    attributes: tuple[str, ...]
    access: AccessLevel
    schema: Schema = Schema.ANY


def minimal(rights: Iterable[Right]) -> list[Right]:
    """Return rights that allow the same without repetitions, the strongest first.

    slapd takes the first rule that matches an entry and an attribute. The order makes that the
    strongest one. Which schema each needs is left out: choose the rights before.
    """
    strongest: dict[tuple[str, ...], dict[str, Right]] = {}
    for right in rights:
        where = (right.account, comparable_dn(right.base), right.scope, right.filter)
        found = strongest.setdefault(where, {})
        for name in right.attributes:
            known = found.get(name.lower())
            if known is None or known.access < right.access:
                found[name.lower()] = replace(right, attributes=(name,), schema=Schema.ANY)
    single = [right for found in strongest.values() for right in found.values()]
    needed = [each for each in single if not any(_includes(other, each) for other in single)]
    joined: dict[Right, list[str]] = {}
    for each in needed:
        joined.setdefault(replace(each, attributes=()), []).extend(each.attributes)
    merged = [replace(right, attributes=(*_in_order(names),)) for right, names in joined.items()]
    return sorted(merged, key=lambda right: -right.access)


def _in_order(names: Iterable[str]) -> list[str]:
    """Return the names in their order, ENTRY and OBJECT_CLASS first."""
    return sorted(names, key=lambda name: (name != ENTRY, name != OBJECT_CLASS))


def _includes(wide: Right, narrow: Right) -> bool:
    """Return whether another right, to one attribute each, allows what this one does."""
    return (
        wide is not narrow
        and wide.account == narrow.account
        and wide.attributes[0].lower() in (EVERY, narrow.attributes[0].lower())
        and wide.access >= narrow.access
        and wide.filter in ("", narrow.filter)
        and _contains(wide, narrow)
    )


def _contains(wide: Right, narrow: Right) -> bool:
    """Return whether all entries in the scope of one right are in that of the other."""
    base, below = comparable_dn(wide.base), comparable_dn(narrow.base)
    match wide.scope, narrow.scope:
        case "sub", _:
            return is_in_context(below, base)
        case "one", "base":
            return below.partition(",")[2] == base
        case wide_scope, narrow_scope:
            return wide_scope == narrow_scope and below == base


def by_context(rights: Iterable[Right], contexts: Sequence[str]) -> Mapping[str, tuple[Right, ...]]:
    """Return the rights by the naming context that holds their entries, in the given order.

    The base of a right that is in none of them stands for its own.
    """
    found: dict[str, list[Right]] = {each: [] for each in contexts}
    for right in rights:
        holding = [each for each in contexts if is_in_context(right.base, each)]
        found.setdefault(max(holding, key=len, default=right.base), []).append(right)
    return {context: (*of,) for context, of in found.items() if of}
