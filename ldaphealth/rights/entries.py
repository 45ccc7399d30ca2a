"""The entries of the account and of the container of canaries, with those above them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from ldaphealth.content.context_csn import COMMA
from ldaphealth.model import is_in_context

Attributes = Mapping[str, tuple[str, ...]]

# The object class of an entry by the attribute of its RDN: core.schema and cosine.schema.
OBJECT_CLASSES: Mapping[str, str] = {
    "cn": "applicationProcess",
    "ou": "organizationalUnit",
    "o": "organization",
    "l": "locality",
    "uid": "account",
    "dc": "domain",
}
SYSTEM_ONLY = "applicationProcess"  # in Active Directory
PASSWORD_CLASS = "simpleSecurityObject"  # noqa: S105  RFC 4524 3.15
# No password matches it (crypt(3)); the object class needs a value.
LOCKED = "{CRYPT}!"
_ESCAPE = re.compile(rb"\\(?:([0-9A-Fa-f]{2})|(.))", re.DOTALL)


def account_entries(dn: str, suffix: str) -> Iterator[tuple[str, Attributes]]:
    """Yield the entry of an account that nobody can bind as yet, and before it those above it."""
    yield from superiors(dn, suffix)
    attributes = dict(entry_of(dn))
    attributes["objectClass"] = (*attributes["objectClass"], PASSWORD_CLASS)
    yield dn, {**attributes, "userPassword": (LOCKED,)}


def container_entries(dn: str, suffix: str) -> Iterator[tuple[str, Attributes]]:
    """Yield the entry of a container, and before it those above it."""
    yield from superiors(dn, suffix)
    yield dn, entry_of(dn)


def superiors(dn: str, suffix: str) -> Iterator[tuple[str, Attributes]]:
    """Yield the entries between the suffix and an entry, from above."""
    rdns = COMMA.split(dn)
    for place in range(len(rdns) - 1, 0, -1):
        above = ",".join(rdns[place:])
        if is_in_context(above, suffix) and not is_in_context(suffix, above):
            yield above, entry_of(above)


def entry_of(dn: str) -> Attributes:
    """Return the attributes of an entry without values but those of its RDN."""
    attribute, _, value = COMMA.split(dn)[0].partition("=")
    name = attribute.strip()
    kind = OBJECT_CLASSES.get(name.lower(), OBJECT_CLASSES["cn"])
    found = {"objectClass": (kind,), name: (_unescaped(value.strip()),)}
    if OBJECT_CLASSES.get(name.lower()) is None:
        found["cn"] = (_unescaped(value.strip()),)  # the object class needs one
    return found


def with_class(entries: Iterable[tuple[str, Attributes]], name: str) -> dict[str, Attributes]:
    """Return entries by DN, with this object class in place of SYSTEM_ONLY if it is not empty."""
    return {
        dn: {
            key: tuple(name if name and value == SYSTEM_ONLY else value for value in values)
            for key, values in attributes.items()
        }
        for dn, attributes in entries
    }


def _unescaped(value: str) -> str:
    """Return the value of an RDN without escapes (RFC 4514 2.4)."""
    octets = _ESCAPE.sub(
        lambda found: bytes.fromhex(found[1].decode()) if found[1] else found[2], value.encode()
    )
    return octets.decode("utf-8", "replace")
