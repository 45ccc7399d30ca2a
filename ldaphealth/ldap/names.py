"""Names in settings: DNs (RFC 4514) and attribute descriptions (RFC 4512 2.5), and their checks.

Settings are checked when they are read, so that a name that no server accepts is a mistake there.
"""

from __future__ import annotations

import re
from typing import NewType

# Underscores are no part of RFC 4512 1.4, but some servers have attributes with them.
ATTRIBUTE_TYPE = r"(?:[A-Za-z][A-Za-z0-9_-]*|[0-9]+(?:\.[0-9]+)+)"
ATTRIBUTE = rf"{ATTRIBUTE_TYPE}(?:;[A-Za-z0-9_-]+)*"
NO_ATTRIBUTES = "1.1"  # in a search: return entries without attributes, RFC 4511 4.5.1.8
ALL_ENTRIES = "(objectClass=*)"  # the filter that matches every entry (RFC 4512 2.4.1)

_ESCAPED = r'\\(?:[ "#=+,;<>\\]|[0-9A-Fa-f]{2})'
# Servers also accept what RFC 4514 2.4 mentions of RFC 1779: spaces, `;` and values in quotes.
_VALUE = (
    r"(?:#(?:[0-9A-Fa-f]{2})+"
    r'|"(?:[^"\\\0]|\\.)+"'
    rf'|(?:[^\\"+,;<>#\0\s]|{_ESCAPED})(?:[^\\"+,;<>\0]|{_ESCAPED})*)'
)
_PAIR = rf"\s*{ATTRIBUTE}\s*=\s*{_VALUE}\s*"
_DN = re.compile(rf"{_PAIR}(?:[+,;]{_PAIR})*")
_ATTRIBUTE = re.compile(ATTRIBUTE)
# Few processes need these: re compiles them when they are used.
_NEXT_PAIR = rf'(?s)\s*({ATTRIBUTE})\s*=\s*("(?:[^"\\]|\\.)*"|(?:[^\\",;+]|\\.)*?)\s*([+,;]|\Z)'
_ESCAPE = rb"(?s)\\(?:([0-9A-Fa-f]{2})|(.))"
# Active Directory also binds by user@domain and DOMAIN\user, MS-ADTS 5.1.1.1.1.
_ACCOUNT = r"[^=,\s@\\]+(?:@|\\)[^=,\s@\\]+"


DN = NewType("DN", str)  # in settings; empty: that of the root DSE, or a default
AttributeName = NewType("AttributeName", str)  # or an OID, with or without options


def parse_dn(text: str) -> DN:
    """Return the DN; ValueError if it is not one (RFC 4514)."""
    if text and not _DN.fullmatch(text):
        raise ValueError(f"{text!r} is not a DN (RFC 4514), such as ou=people,dc=example,dc=com")
    return DN(text)


def is_same_dn(one: str, other: str) -> bool:
    """Return whether two texts are the same DN: case, spaces and escapes do not count.

    That is caseIgnoreMatch (RFC 4517 4.2.11) for all attributes, as those of names have it. A text
    that is not a DN is the same as none.
    """
    first, second = _pairs_by_rdn(one), _pairs_by_rdn(other)
    return first is not None and first == second


def _pairs_by_rdn(text: str) -> tuple[frozenset[tuple[str, str]], ...] | None:
    """Return the types and values of each RDN in a form that can be compared; None if no DN."""
    rdns: list[frozenset[tuple[str, str]]] = []
    pairs: set[tuple[str, str]] = set()
    at = 0
    next_pair = re.compile(_NEXT_PAIR)
    while at < len(text):
        found = next_pair.match(text, at)
        if found is None:
            return None
        pairs.add((found[1].lower(), _comparable(found[2])))
        if found[3] != "+":
            rdns.append(frozenset(pairs))
            pairs = set()
        at = found.end()
    return (*rdns,)


def _comparable(value: str) -> str:
    """Return the value of a DN without escapes, in one case, with single spaces."""
    inner = value[1:-1] if value.startswith('"') else value
    octets = re.sub(
        _ESCAPE,
        lambda found: bytes.fromhex(found[1].decode()) if found[1] else found[2],
        inner.encode(),
    )
    return " ".join(octets.decode("utf-8", "replace").casefold().split())


def parse_attribute_name(text: str) -> AttributeName:
    """Return the attribute description; ValueError if it is not one (RFC 4512 2.5)."""
    if text and not is_attribute(text):
        raise ValueError(f"{text!r} is not the name of an attribute (RFC 4512), such as mail")
    return AttributeName(text)


def is_attribute(text: str) -> bool:
    """Return whether a text names one attribute (RFC 4512 2.5), and not none or a class of them."""
    return text != NO_ATTRIBUTES and _ATTRIBUTE.fullmatch(text) is not None


def check_bind_name(text: str) -> None:
    """Raise ValueError if no server accepts the name in a simple bind (RFC 4511 4.2)."""
    if not re.fullmatch(_ACCOUNT, text):
        parse_dn(text)
