"""Search filters: the text form (RFC 4515) is checked and encoded for a request (RFC 4511 4.5.1.7).

A filter in settings is encoded when it is read, so that one that cannot be sent is a mistake there.
As with ldapsearch(1), the outermost parentheses may be missing, spaces may stand around parentheses
and operators, and `(&)` is true and `(|)` false (RFC 4526).
"""

from __future__ import annotations

import re
from typing import NewType

from ldaphealth.ldap import ber
from ldaphealth.ldap.names import ATTRIBUTE, ATTRIBUTE_TYPE
from ldaphealth.text.quantity import quantity

MAX_DEPTH = 100  # of nested filters; each level is a call here and in the server
OPERATORS = {"&": 0xA0, "|": 0xA1, "!": 0xA2}
COMPARISONS = {"=": 0xA3, ">=": 0xA5, "<=": 0xA6, "~=": 0xA8}
SUBSTRINGS, PRESENT, EXTENSIBLE = 0xA4, 0x87, 0xA9
INITIAL, ANY, FINAL = 0x80, 0x81, 0x82
RULE, TYPE, MATCH_VALUE, DN_ATTRIBUTES = 0x81, 0x82, 0x83, 0x84
_SIMPLE = re.compile(rf"\s*({ATTRIBUTE})\s*(=|>=|<=|~=)(.*)", re.DOTALL)
# Few filters need these: re compiles them when they are used.
_EXTENSIBLE = rf"(?si)\s*({ATTRIBUTE})?(:dn)?(?::({ATTRIBUTE_TYPE}))?:=(.*)"
_ASSERTED = rf"\(\s*({ATTRIBUTE_TYPE})(?:;[A-Za-z0-9_-]+)*(?=\s*(?:[:~<>]?=|:))"
_ESCAPED = re.compile(rb"\\([0-9A-Fa-f]{2})")
_SPECIAL = r"[\\*()\0]"


Filter = NewType("Filter", str)  # in settings; it can be encoded


def parse_filter(text: str) -> Filter:
    """Return the filter; ValueError names what is wrong with a text that cannot be sent."""
    encode(text)
    return Filter(text)


def assertion(attribute: str, value: str) -> str:
    """Return the filter for entries that have the attribute with this value, "" for any value."""
    if not value:
        return f"({attribute}=*)"
    escaped = re.sub(_SPECIAL, lambda found: f"\\{ord(found[0]):02x}", value)
    return f"({attribute}={escaped})"


def both(first: str, second: str) -> str:
    """Return the filter for entries that match both filters."""
    return f"(&{_in_parentheses(first)}{second})"


def attributes_of(text: str) -> tuple[str, ...]:
    """Return the attributes that a filter names, each once, without options.

    A parenthesis in a value is escaped (RFC 4515 3), so each `(` begins a filter.
    """
    found = re.findall(_ASSERTED, _in_parentheses(text))
    return (*{name.lower(): name for name in reversed(found)}.values(),)[::-1]


def encode(text: str) -> bytes:
    """Encode a filter; ValueError names what is wrong with it."""
    try:
        return _whole(_in_parentheses(text))
    except ValueError as error:
        raise ValueError(
            f"{text!r} is not a filter (RFC 4515), such as (uid=agent): {error}"
        ) from error


def _whole(text: str) -> bytes:
    encoded, end = _filter(text, 0, 1)
    if end < len(text):
        raise ValueError(f"it ends before {text[end:]!r}; several are combined by (&...)")
    return encoded


def _in_parentheses(text: str) -> str:
    text = text.strip()
    return text if text.startswith("(") else f"({text})"


def _filter(text: str, start: int, depth: int) -> tuple[bytes, int]:
    """Return the encoded filter that begins there, and where it ends."""
    if depth > MAX_DEPTH:
        raise ValueError(f"it is nested more than {MAX_DEPTH} deep")
    at = _after_spaces(text, _after(text, start, "("))
    operator = text[at : at + 1]
    if operator not in OPERATORS:
        end = at + len(re.split("[()]", text[at:], maxsplit=1)[0])
        return _item(text[at:end]), _after(text, end, ")")
    parts, at = [], _after_spaces(text, at + 1)
    while text[at : at + 1] == "(":
        part, at = _filter(text, at, depth + 1)
        parts.append(part)
        at = _after_spaces(text, at)
    if operator == "!" and len(parts) != 1:
        raise ValueError(f"! is followed by {quantity(len(parts), 'filter')}; it takes one")
    return ber.element(OPERATORS[operator], b"".join(parts)), _after(text, at, ")")


def _after(text: str, at: int, sign: str) -> int:
    found = text[at : at + 1]
    if found != sign:
        where = f"{found!r} stands" if found else "the end is"
        raise ValueError(f"{where} where {sign!r} must be")
    return at + 1


def _after_spaces(text: str, at: int) -> int:
    while text[at : at + 1].isspace():
        at += 1
    return at


def _item(text: str) -> bytes:
    """Encode what is inside the parentheses of a comparison."""
    if simple := _SIMPLE.fullmatch(text):
        attribute, comparison, value = simple.groups()
        if comparison == "=" and value == "*":
            return ber.octet_string(attribute, PRESENT)
        if comparison == "=" and "*" in value:
            return _substrings(attribute, value)
        return ber.element(
            COMPARISONS[comparison], ber.octet_string(attribute) + _value(value, 0x04)
        )
    extensible = re.fullmatch(_EXTENSIBLE, text)
    if extensible is None or not (extensible[1] or extensible[3]):
        raise ValueError(f"{text!r} is not an attribute, a comparison and a value, such as uid=u1")
    attribute, by_dn, rule, value = extensible.groups()
    fields = (
        ber.octet_string(rule, RULE) if rule else b"",
        ber.octet_string(attribute, TYPE) if attribute else b"",
        _value(value, MATCH_VALUE),
        ber.element(DN_ATTRIBUTES, b"\xff") if by_dn else b"",
    )
    return ber.element(EXTENSIBLE, b"".join(fields))


def _substrings(attribute: str, value: str) -> bytes:
    first, *middle, last = value.split("*")
    if not all(middle):
        raise ValueError(f"** in {value!r}: one * stands for any text")
    parts = (
        _value(first, INITIAL) if first else b"",
        *(_value(each, ANY) for each in middle),
        _value(last, FINAL) if last else b"",
    )
    return ber.element(SUBSTRINGS, ber.octet_string(attribute) + ber.element(0x30, b"".join(parts)))


def _value(text: str, tag: int) -> bytes:
    """Encode an assertion value, in which a backslash and two digits are one octet."""
    if "*" in text or "\0" in text:
        raise ValueError(f"a * or a NUL in {text!r} must be written as \\2a or \\00")
    octets = text.encode()
    if _ESCAPED.sub(b"", octets).count(b"\\"):
        raise ValueError(f"a backslash in {text!r} must be written as \\5c")
    return ber.element(tag, _ESCAPED.sub(lambda found: bytes((int(found[1], 16),)), octets))
