"""Untrusted text for Markdown (CommonMark, and the dialects of tickets): it stays text.

Plain words stay as they are, so that the source can be read too. All others become code spans,
within which there is no HTML, link, emphasis, mention or reference in any dialect. What is made
here never begins a line: the caller begins it with words of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from ldaphealth.text.printable import printable

LONGEST_LINE = 400  # characters
# A word without meaning in any dialect: no sign that begins HTML, a link, emphasis, a table, a
# mention or a reference (GitHub, GitLab), and no address that a dialect would make a link of.
_PLAIN = re.compile(r"""[("']*[^\W_](?:[\w.,;:()'"%/=+-](?<!_))*|[-+=/….,;:)]+""")
_ADDRESS = re.compile(r"://|www\.|mailto:|xmpp:", re.IGNORECASE)
_CODE = re.compile(r"`([^`]+)`")
_SIGNS = re.compile(r"""(\(*)(.*?)([.,;:]*|(?<!\()\)+[.,;:]*)""")
_RUN = re.compile("`+")


def inline(text: str, limit: int = LONGEST_LINE) -> str:
    """Return a text for a line of Markdown. What is between two backticks stays a code span."""
    shown, made, end = printable(text, limit), "", 0
    for found in _CODE.finditer(shown):
        made = _beside(made, _words(shown[end : found.start()]))
        made, end = _beside(made, code_span(found[1])), found.end()
    return _beside(made, _words(shown[end:])).strip()


def code_span(text: str, limit: int = LONGEST_LINE) -> str:
    """Return a code span; nothing of an empty text."""
    shown = printable(text, limit)
    if not shown.strip():
        return ""
    fence = "`" * (_longest_run(shown) + 1)
    pad = " " if "`" in (shown[0], shown[-1]) or shown[0] == shown[-1] == " " else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def cell(text: str) -> str:
    """Return a text for a cell of a table: plain words, or one code span without a pipe.

    Dialects differ in what a backslash before a pipe is within a code span.
    """
    safe = printable(text, LONGEST_LINE).translate(_NOT_IN_CELLS)
    return safe if all(map(_is_plain, safe.split())) else f"`{safe}`"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], right: int) -> Iterator[str]:
    """Yield the lines of a table (GFM) of cells; `right` is the first column with numbers."""
    yield _row(headings)
    yield _row(["---" if at < right else "---:" for at in range(len(headings))])
    yield from map(_row, rows)


def fenced(lines: Iterable[str]) -> Iterator[str]:
    """Yield a block of code with lines of any text."""
    shown = [printable(each, LONGEST_LINE) for each in lines]
    fence = "`" * max(3, *(_longest_run(each) + 1 for each in shown), 3)
    yield f"{fence}text"
    yield from shown
    yield fence


_NOT_IN_CELLS = str.maketrans({"|": "¦", "`": "'", "\\": "/"})


def _words(text: str) -> str:
    """Return the words; several in a row that are not plain are one code span."""
    words = (
        " ".join(each) if is_plain else _within_signs(" ".join(each))
        for is_plain, each in groupby(text.split(), _is_plain)
    )
    before, after = (" " if text[at : at + 1].isspace() else "" for at in (0, len(text) - 1))
    return f"{before}{' '.join(words)}{after}" if text else ""


def _within_signs(text: str) -> str:
    """Return a code span, with the signs of a sentence before and after it outside."""
    found = _SIGNS.fullmatch(text)
    if found is None or not found[2].strip():
        return code_span(text)
    return f"{found[1]}{code_span(found[2])}{found[3]}"


def _beside(one: str, other: str) -> str:
    """Join two texts, so that the backticks of one are not taken for those of the other."""
    return f"{one} {other}" if one.endswith("`") and other.startswith("`") else one + other


def _is_plain(word: str) -> bool:
    return bool(_PLAIN.fullmatch(word)) and not _ADDRESS.search(word)


def _longest_run(text: str) -> int:
    return max((len(each) for each in _RUN.findall(text)), default=0)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
