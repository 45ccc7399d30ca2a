"""Characters that nobody types as part of a password: control characters, and surrogates."""

from __future__ import annotations

from unicodedata import category

from ldaphealth.text.quantity import quantity

UNTYPED = ("Cc", "Cs")  # categories of Unicode
LINE_ENDS = "\r\n"


def has_untyped(text: str) -> bool:
    """Return whether a text has a character of these categories."""
    return any(category(each) in UNTYPED for each in text)


def untyped_words(text: str) -> str:
    """Return what is wrong with a password, "" if nothing; the password is not in it."""
    lines = len(text.splitlines())
    if any(each in text for each in LINE_ENDS):
        return f"the password has {quantity(max(lines, 2), 'line')}; write it alone, on one line"
    if has_untyped(text):
        return (
            "the password contains a control character, such as a tab, or is not UTF-8; write it "
            "alone, on one line"
        )
    return ""
