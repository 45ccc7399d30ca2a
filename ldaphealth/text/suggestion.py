"""A hint in a message about an unknown name: the name that was probably meant."""

from __future__ import annotations

from collections.abc import Iterable


def suggestion(name: str, known: Iterable[str], otherwise: str = "") -> str:
    """Return a hint with the most similar known name, or with all names if none is similar.

    `otherwise` stands in place of all names, where they are too many.

    It is the end of a message, such as `; did you mean ldap1?`, or empty if no name is known.
    """
    known = list(known)
    if found := did_you_mean(name, known):
        return found
    if otherwise:
        return f"; {otherwise}"
    return f"; there are {', '.join(known)}" if known else ""


def did_you_mean(name: str, known: Iterable[str], least: float = 0.6) -> str:
    """Return a hint with the most similar known name, or "" if none is similar.

    `least` is the ratio of similarity that a name must have (difflib).
    """
    import difflib  # noqa: PLC0415  1 ms, and rarely needed

    by_lower = {each.lower(): each for each in known}
    found = difflib.get_close_matches(name.lower(), by_lower, 1, least)
    return f"; did you mean {by_lower[found[0]]}?" if found else ""
