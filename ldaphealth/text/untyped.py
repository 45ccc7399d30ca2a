"""Characters that nobody types as part of a password: control characters, and surrogates."""

from __future__ import annotations

from ldaphealth.text.quantity import quantity

# The categories Cc and Cs of Unicode, which do not change (The Unicode Standard 4.5, 23.1, 23.6).
UNTYPED = (range(0x20), range(0x7F, 0xA0), range(0xD800, 0xE000))
LINE_ENDS = "\r\n"


def has_untyped(text: str) -> bool:
    """Return whether a text has a character of these categories."""
    if text.isprintable():
        return False
    return any(ord(each) in untyped for each in text for untyped in UNTYPED)


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
