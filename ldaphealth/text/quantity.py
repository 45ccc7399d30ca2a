"""A number with its noun, in the singular for one."""

from __future__ import annotations

from ldaphealth.text.number import decimal


def quantity(number: float, noun: str, plural: str = "") -> str:
    """Return such as `1 server` or `2 servers`; `plural` if it is not the noun with an s."""
    return f"{decimal(number)} {plural_of(number, noun, plural)}"


def plural_of(number: float, noun: str, plural: str = "") -> str:
    """Return the noun alone, in the number for so many."""
    return noun if number == 1 else plural or f"{noun}s"
