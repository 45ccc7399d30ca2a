"""What is wrong with a configuration file: lines of `path: what would be right`."""

from __future__ import annotations

from collections.abc import Iterable


class ConfigError(Exception):
    """All that is wrong with a configuration file."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def near(word: str, known: Iterable[str]) -> str:
    """Return a hint to the word that was probably meant, or to those that there are."""
    import difflib  # noqa: PLC0415  a millisecond, and rarely needed

    known = list(known)
    found = difflib.get_close_matches(word, known, 1)
    if found:
        return f"; did you mean {found[0]}?"
    return f"; there are {', '.join(known)}" if known else ""
