"""Writes man(7): escapes, paragraphs, lists, and the Markdown that help and documents use."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator

LINE_CHARACTERS = 78
ESCAPES = str.maketrans({"\\": r"\e", "-": r"\-", "`": r"\(ga", "^": r"\(ha", "~": r"\(ti"})
INLINE = re.compile(r"`(?P<code>[^`]+)`|\*(?P<term>[^*\s][^*]*)\*|\[(?P<link>[^\]]+)\]\([^)\s]+\)")
ITEM = re.compile(r"(?:-|\d+\.) ")


def escaped(plain: str) -> str:
    """Return a text in which nothing is a request or an escape of roff."""
    ascii_only = "".join(
        c if c.isascii() else f"\\[u{ord(c):04X}]" for c in plain.translate(ESCAPES)
    )
    # A line may begin at any word.
    return re.sub(r"(?<!\S)(?=[.'])", r"\\&", ascii_only)


def inline(markdown: str) -> str:
    """Return one paragraph of Markdown: `code` bold, *terms* italic, of links the text."""
    parts, end = [], 0
    for found in INLINE.finditer(markdown):
        parts.append(escaped(markdown[end : found.start()]))
        end = found.end()
        if found["link"]:
            parts.append(inline(found["link"]))
        else:
            font = "B" if found["code"] else "I"
            parts.append(f"\\f{font}{escaped(found['code'] or found['term'])}\\fR")
    return "".join(parts) + escaped(markdown[end:])


def filled(markdown: str) -> list[str]:
    """Return the lines of one paragraph, to be filled by roff."""
    return wrapped(inline(markdown))


def wrapped(roff: str) -> list[str]:
    """Return text of roff as short lines."""
    return textwrap.wrap(roff, LINE_CHARACTERS, break_long_words=False, break_on_hyphens=False)


def literal(lines: Iterable[str]) -> list[str]:
    """Return lines that stay as they are, indented."""
    plain = textwrap.dedent("\n".join(lines)).strip("\n").split("\n")
    return [".PP", ".RS 4", ".nf", *(escaped(each) or r"\&" for each in plain), ".fi", ".RE"]


def tagged(tag: str, markdown: str) -> list[str]:
    """Return an item of a list: the tag, already in roff, and what is said of it."""
    return [".TP", tag, *(filled(markdown) or [r"\&"])]


def section(heading: str, level: int = 1) -> str:
    """Return the heading of a section, or of one below it."""
    return f".{'SH' if level == 1 else 'SS'} {inline(heading)}"


def title(name: str, number: int, date: str, version: str) -> list[str]:
    """Return the first lines of a page. `date` is YYYY-MM-DD."""
    return [
        '.\\" written by `make docs`',
        f'.TH "{escaped(name.upper())}" {number} "{date}" "ldaphealth {version}"',
    ]


def markdown(document: str) -> list[str]:
    """Return a document: headings, paragraphs, lists, code and tables of two to four columns."""
    lines: list[str] = []
    for block in re.findall(r"```.*?```|(?:(?!```)[^\n]+(?:\n|$))+", document, re.DOTALL):
        below_heading = bool(lines) and lines[-1].startswith((".SH", ".SS"))
        new = list(_block(block.strip("\n").split("\n")))
        lines += new[1:] if below_heading and new[:1] == [".PP"] else new
    return lines


def _block(lines: list[str]) -> Iterator[str]:
    if lines[0].startswith("<!--"):
        return
    if lines[0].startswith("#"):
        marks, _, heading = lines[0].partition(" ")
        yield section(heading, len(marks) - 1)
        if lines[1:]:
            yield from _block(lines[1:])
    elif lines[0].startswith("```"):
        yield from literal(lines[1:-1])
    elif lines[0].startswith("    "):
        yield from literal(lines)
    elif lines[0].startswith("|"):
        yield from _table(lines)
    elif ITEM.match(lines[0]):
        yield from _items(lines)
    else:
        yield from [".PP", *filled(" ".join(lines))]


def _items(lines: list[str]) -> Iterator[str]:
    items: list[str] = []
    for line in lines:
        if ITEM.match(line):
            items.append(ITEM.sub("", line, count=1))
        else:
            items[-1] += f" {line.strip()}"
    for each in items:
        yield from [r".IP \(bu 2", *filled(each)]


def _table(lines: list[str]) -> Iterator[str]:
    """Yield each row as an item; of four columns the second is its type, the third its default."""
    for line in lines[2:]:
        key, *others = (each.strip() for each in line.strip("| ").split(" | "))
        *about, meaning = others
        if about:
            kind, default = about[0], "".join(about[1:])
            shown = default if default in ("", "needed") else f"default {default}"
            yield from tagged(
                f"{inline(key)}  {inline(', '.join(filter(None, (kind, shown))))}", meaning
            )
        else:
            yield from tagged(inline(key), meaning)
