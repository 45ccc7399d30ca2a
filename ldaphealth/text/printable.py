"""Text from a server, made safe for one line of a terminal, a log or a plugin.

ldap/session.py uses it for messages of servers, and every sink for its output.
"""

from __future__ import annotations

ELLIPSIS = "…"


def printable(text: str, limit: int = 400) -> str:
    r"""Return one line of at most `limit` characters without control characters.

    Control characters, line ends, bidirectional overrides and lone surrogates become escapes
    such as `\x1b`; `str.isprintable` (the Unicode categories Other and Separator) decides.
    """
    if len(text) <= limit and text.isprintable():
        return text
    shown: list[str] = []
    room = limit
    for character in text[: limit + 1]:
        safe = character if character.isprintable() else ascii(character)[1:-1]
        if len(safe) > room:
            break
        shown.append(safe)
        room -= len(safe)
    else:
        return "".join(shown)
    while shown and room < len(ELLIPSIS):
        room += len(shown.pop())
    return "".join(shown) + ELLIPSIS
