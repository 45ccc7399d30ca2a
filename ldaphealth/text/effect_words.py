"""What a finding can do to its server, in words: the same in `explain`, on the page and in plugins.

The arguments are the values of `CheckEffect`, `Trust` and `State`, as in documents.
"""

from __future__ import annotations

from collections.abc import Mapping

CANNOT_REMOVE, LOWERS_WEIGHT = "cannot remove the server", "lowers the weight"
NOTHING_ABOUT_SERVER = "says nothing about the server"
# A CRITICAL finding of a check with the effect `out`, by its trust (docs/verdicts.md).
REMOVES: Mapping[str, str] = {
    "hard": "no LDAP service: removes the server",
    "soft": "removes the server while enough others remain",
    "expectation": "removes the server unless most servers share it",
}


def effect_words(effect: str, trust: str, state: str) -> str:
    """Return what a finding that is not OK can do; empty for a WARNING that may become more."""
    if trust == "ours":
        return NOTHING_ABOUT_SERVER
    if effect == "watch" or trust not in REMOVES:
        return CANNOT_REMOVE
    if effect == "weight":
        return LOWERS_WEIGHT
    return REMOVES[trust] if state == "CRITICAL" else ""
