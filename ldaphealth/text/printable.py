"""Text that came from a server, made harmless for one line of a terminal, a log or a plugin.

session.py uses it on what servers say, and every sink on what it prints.
"""

from __future__ import annotations

ELLIPSIS = "…"


def printable(text: str, limit: int = 200) -> str:
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
