"""Mistakes in YAML in plain words: where, what is wrong, and what was expected.

The messages of libyaml, and of PyYAML without it, name the inner states of a parser.
"""

from __future__ import annotations

from typing import Protocol

QUOTED = 'put a text with special characters into "quotes"'
TOO_DEEP = (
    "this key has more spaces before it than the one above, which has a value already or too few "
    f"spaces itself; or the line has a second colon: {QUOTED}"
)
# By a part of the message of libyaml or PyYAML: what is wrong, and whether the mistake is where the
# parser was reading from (a key, a quote) in place of where it stopped.
WORDS: tuple[tuple[str, str, bool], ...] = (
    ("find expected ':'", "a `key: value` was expected: a colon and a space are missing", True),
    (
        "mapping values are not allowed",
        TOO_DEEP,
        False,
    ),
    ("unexpected end of stream", "the quote that begins here is not closed", True),
    ("expected ',' or '}'", "a comma or the closing } was expected", False),
    ("expected ',' or ']'", "a comma or the closing ] was expected", False),
    (
        "expected key",
        "a key was expected in the column of the keys above: check the spaces before it",
        False,
    ),
    ("expected <block end>", "the spaces before it differ from those of the lines above", False),
    ("expected '-'", "an item that begins with a dash was expected, in the column above", False),
    ("block sequence entries are not allowed", "a list cannot begin in the line of its key", False),
    ("sequence entries are not allowed", "a list cannot begin in the line of its key", False),
    ("unknown escape character", "an unknown escape in double quotes: use 'single quotes'", False),
    ("hexdecimal", "an incomplete escape in double quotes: use 'single quotes'", False),
    ("hexadecimal", "an incomplete escape in double quotes: use 'single quotes'", False),
    ("expected node content", "a value was expected", False),
    ("expected the node content", "a value was expected", False),
    ("document start", "nothing may follow the content of the file here", False),
    ("another document", "the file must have one document: remove the line ---", False),
    ("single document", "the file must have one document: remove the line ---", False),
    (
        "could not determine a constructor",
        f"a tag that begins with ! is not known; {QUOTED}",
        False,
    ),
    ("tag", f"a tag that begins with ! is not known; {QUOTED}", False),
    ("anchor", "anchors (&) and aliases (*) are not supported; repeat the values", False),
    ("alias", "anchors (&) and aliases (*) are not supported; repeat the values", False),
    ("directive", f"a line must not begin with %; {QUOTED}", False),
)
TAB = "a tab stands before it: use spaces"
ODD = "{!r} cannot begin a value or a key; " + QUOTED
OTHER = "this is not YAML"


class Mark(Protocol):
    """A place in the file, counted from 0, as a `yaml.Mark`."""

    line: int
    column: int


def in_words(problem: str, at: Mark, begun_at: Mark | None, content: bytes) -> str:
    """Return the sentence for a problem that a parser names, with the line and the column.

    The parser stopped `at` that place; what it was reading began at `begun_at`.
    """
    for part, meaning, is_at_start in WORDS:
        if part in problem:
            return placed((is_at_start and begun_at) or at, meaning)
    line = content.decode("utf-8", "replace").splitlines()[at.line : at.line + 1]
    begins = "".join(line)[at.column : at.column + 1]
    if "tab" in problem.split() or begins == "\t":
        return placed(at, TAB)
    if "cannot start any token" in problem and begins:
        return placed(at, ODD.format(begins))
    return placed(at, OTHER)


def placed(at: Mark, words: str) -> str:
    """Return the words after the place."""
    return f"line {at.line + 1}, column {at.column + 1}: {words}"


def not_text(content: bytes, position: int) -> str:
    """Return the sentence for an octet, at that position, which cannot be read at all."""
    before = content[:position]
    line, column = before.count(b"\n") + 1, len(before) - before.rfind(b"\n")
    return f"line {line}, column {column}: an octet that UTF-8 or YAML does not permit"
