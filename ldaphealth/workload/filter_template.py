"""The template of a search filter: its structure and attributes, without its values. Pure.

`(&(objectClass=person)(uid=anna))` becomes `(&(objectClass=person)(uid={uid}))`. Attributes and
object classes are schema, not values of a client. A template is made of known parts only: a filter
that has anything else, such as one that was cut off, has no template.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise

from ldaphealth.ldap.names import ATTRIBUTE_TYPE
from ldaphealth.ldap.search_filter import encode

PLACEHOLDER = re.compile(r"\{([A-Za-z0-9._-]+)\}")
_VALUES = re.compile(r"(?<==)(\*?(?:\{[A-Za-z0-9._-]+\}\*?)+)(?=\))")  # of one item
MOST_ITEMS = 4  # of the same template in a row; more are rounded up to a power of two
_ITEM = re.compile(rb"\((\??)([A-Za-z0-9;.:_-]*)([~<>]?=)([^()]*)\)")
_DESCRIPTION = re.compile(
    rf"(?P<type>{ATTRIBUTE_TYPE})(?:;[A-Za-z0-9_-]+)*(?::dn)?(?::{ATTRIBUTE_TYPE})?:?".encode()
)
_CLASS = re.compile(ATTRIBUTE_TYPE.encode())
_OBJECT_CLASS = (b"objectclass", b"2.5.4.0")
_KNOWN_ITEM = (
    rb"\((?i:objectclass|2\.5\.4\.0)="
    + ATTRIBUTE_TYPE.encode()
    + rb"\)|\(\??[A-Za-z0-9;.:_-]+[~<>]?=(?:\*|\*?(?:\{[A-Za-z0-9._-]+\}\*?)+)\)"
)
_KNOWN = re.compile(rb"(?:" + _KNOWN_ITEM + rb"|\([&|!]|\))+")
_SAME = re.compile(rb"(\([^()]*\))\1{%d,}" % MOST_ITEMS)
_COMPUTED = {b"(?=true)": b"(&)", b"(?=false)": b"(|)"}  # slapd's words for RFC 4526
_ESCAPED = re.compile(rb"\\([0-9A-Fa-f]{2})")  # RFC 4515 3
_MARKED = re.compile(rb"\(\?([A-Za-z0-9._-]*)")
_NAMED = re.compile(rb"\(([A-Za-z0-9._-]+)")


def filter_template(logged: bytes, values: list[tuple[bytes, bytes]] | None = None) -> bytes:
    """Return the template of a filter as servers log it. It is not yet checked.

    An attribute that is not in slapd's schema, or has no such value, keeps its mark `?`. `values`
    receives the attributes and values that were removed.
    """

    def item(found: re.Match[bytes]) -> bytes:
        mark, description, comparison, value = found.groups()
        if value == b"*" and comparison == b"=":
            return found[0]
        described = _DESCRIPTION.fullmatch(description)
        if described is None:
            return _COMPUTED.get(found[0], found[0])
        kind = described["type"]
        is_class = not mark and comparison == b"=" and kind.lower() in _OBJECT_CLASS
        if is_class and _CLASS.fullmatch(value):
            return found[0]
        if values is not None and b"*" not in value:
            values.append((kind, _ESCAPED.sub(lambda each: bytes.fromhex(each[1].decode()), value)))
        parts = b"*".join(b"{%s}" % kind if part else b"" for part in value.split(b"*"))
        return b"(%s%s%s%s)" % (mark, description, comparison, parts or b"{%s}" % kind)

    template = _ITEM.sub(item, logged)
    if template.count(b"(") > MOST_ITEMS:
        return _SAME.sub(_rounded, template)
    return template


def is_template(template: bytes) -> bool:
    """Return whether it has known parts only, and so no value, and is a filter."""
    if not _KNOWN.fullmatch(template.replace(b"(&)", b"").replace(b"(|)", b"") or b"(&)"):
        return False
    try:
        encode(filled(template.replace(b"(?", b"(").decode(), {}))
    except ValueError:
        return False
    return True


def undefined_attributes(template: bytes) -> set[bytes]:
    """Return the attributes that slapd marked, in lower case; b"" for a whole undefined filter."""
    return {name.lower() for name in _MARKED.findall(template)}


def defined_attributes(template: bytes) -> set[bytes]:
    """Return the attributes without a mark, in lower case."""
    return {name.lower() for name in _NAMED.findall(template)}


def first_attribute(template: str) -> str:
    """Return the attribute that a value is wanted for, or the first one; in lower case."""
    found = PLACEHOLDER.search(template) or re.search(r"([A-Za-z][A-Za-z0-9-]*)", template)
    return found[1].lower() if found else "any"


def placeholders(template: str) -> tuple[str, ...]:
    """Return the names between braces, each once, in their order."""
    return (*dict.fromkeys(PLACEHOLDER.findall(template)),)


def filled(template: str, values: Mapping[str, str]) -> str:
    """Return the filter with these values, escaped as in RFC 4515; `x` where there is none.

    In substrings a value is cut into parts, so that it matches: `{cn}*{cn}` becomes `An*na`.
    """

    def item(found: re.Match[str]) -> str:
        pieces = found[1].split("*")
        value = values.get(PLACEHOLDER.findall(found[1])[0], "x")
        parts = _cut(value, len(pieces))
        if not all(part for piece, part in zip(pieces, parts, strict=True) if piece):
            return _escaped(value)
        return "*".join(
            _escaped(part) if piece else "" for piece, part in zip(pieces, parts, strict=True)
        )

    return _VALUES.sub(item, template)


def _cut(value: str, count: int) -> list[str]:
    """Return the parts of a value, of nearly the same length."""
    ends = [round(len(value) * number / count) for number in range(count + 1)]
    return [value[start:end] for start, end in pairwise(ends)]


def _escaped(value: str) -> str:
    return re.sub(r"[\\*()\0]", lambda found: f"\\{ord(found[0]):02x}", value)


def _rounded(found: re.Match[bytes]) -> bytes:
    """Return the item so often as the next power of two: lists of values differ in length."""
    count = len(found[0]) // len(found[1])
    return found[1] * (1 << (count - 1).bit_length())
