"""A verdict of the history in words, for a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ldaphealth.guard import held_words
from ldaphealth.model import State
from ldaphealth.text.listed import listed

MOST_REASONS = 3


def side_words(verdict: Mapping[str, Any]) -> str:
    """Return in service, draining or out of service."""
    if verdict["in_service"]:
        return "in service"
    return "draining" if verdict["draining"] else "out of service"


def bad_reasons(verdict: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the reasons that are not OK, those first that remove the server, then the worst."""
    bad = [each for each in verdict["reasons"] if each["state"] != "OK"]
    return sorted(bad, key=lambda each: (not each.get("removes"), -State[each["state"]].severity))


def reasons_words(verdict: Mapping[str, Any]) -> str:
    """Return the reasons as one line: the code of each between backticks, and its sentence."""
    reasons = [f"`{each['code']}`: {each['summary']}" for each in bad_reasons(verdict)]
    more = len(reasons) - MOST_REASONS
    shown = "; ".join(reasons[:MOST_REASONS])
    return f"{shown}; and {more} more" if more > 0 else shown


def rule_words(verdict: Mapping[str, Any]) -> str:
    """Return which rule held the verdict, and what it does, or ""; an override is no such rule."""
    if not verdict["held_by"] or verdict.get("override_in_force"):
        return ""
    return verdict.get("held") or held_words(verdict["held_by"], in_service=verdict["in_service"])


def causes_words(causes: Sequence[str]) -> str:
    """Return the causes of an outage, as codes."""
    return listed([f"`{each}`" for each in causes], MOST_REASONS)
