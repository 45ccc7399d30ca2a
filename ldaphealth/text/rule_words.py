"""What each rule of the guard does with a server, in a few words, for outputs that name the rule.

guard/rules.py has the rules, with whole sentences.
"""

from __future__ import annotations

from collections.abc import Mapping

from ldaphealth.text.printable import printable

LONGEST_RULE = 64  # characters of a name that an agent of another release has
# By the rule, and by whether it keeps the server in service.
RULE_WORDS: Mapping[tuple[str, bool], str] = {
    ("blind", True): "kept in: all servers fail alike, so the cause is more likely on this side",
    ("settle", True): "kept in: too few rounds in a row have failed yet, or called for its weight",
    ("settle", False): "kept out: too few good rounds in a row yet, or too soon",
    ("override", True): "kept in: an operator ordered it",
    ("override", False): "kept out: an operator ordered it",
    ("floor", True): "kept in: too few servers would remain without it",
}


def held_words(rule: str, *, in_service: bool) -> str:
    """Return such as `held by floor (kept in: ...)`, or "" without a rule."""
    if not rule:
        return ""
    words = RULE_WORDS.get((rule, in_service))
    name = f"held by {printable(rule, LONGEST_RULE)}"
    return f"{name} ({words})" if words else name
