"""The name that was probably meant, for a message about a name that is not known."""

from __future__ import annotations

from collections.abc import Iterable


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return a hint to the known name that is most alike, or to all of them if none is alike.

    It is the end of a message: `; did you mean ldap1?`, or empty if no name is known.
    """
    import difflib  # noqa: PLC0415  a millisecond, and rarely needed

    known = list(known)
    found = difflib.get_close_matches(name, known, 1)
    if found:
        return f"; did you mean {found[0]}?"
    return f"; there are {', '.join(known)}" if known else ""
