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
# Active Directory also binds by user@domain and DOMAIN\user, MS-ADTS 5.1.1.1.1.
_ACCOUNT = re.compile(r"[^=,\s@\\]+(?:@|\\)[^=,\s@\\]+")


DN = NewType("DN", str)  # in settings; empty: that of the root DSE, or a default
AttributeName = NewType("AttributeName", str)  # or an OID, with or without options


def parse_dn(text: str) -> DN:
    """Return the DN; ValueError if it is not one (RFC 4514)."""
    if text and not _DN.fullmatch(text):
        raise ValueError(f"{text!r} is not a DN (RFC 4514), such as ou=people,dc=example,dc=com")
    return DN(text)


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
    if not _ACCOUNT.fullmatch(text):
        parse_dn(text)
