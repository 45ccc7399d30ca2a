"""The text of the configuration: YAML with comments. No text of a server can leave its line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Any

from ldaphealth.discover.draft import OFF, Draft, Place
from ldaphealth.discover.hidden import Hidden
from ldaphealth.text.listed import listed
from ldaphealth.text.printable import printable
from ldaphealth.text.yaml_text import flow, scalar

LONGEST_COMMENT = 600
LONGEST_LINE = 100
BLOCKS = frozenset({"credentials", "clusters", "servers", "checks"})  # whose values are keys below
MOST_SERVERS_SHOWN = 5
HIDDEN_HEAD = (
    "What could not be seen, and what would show it. `ldaphealth setup` prints the rules for the "
    "checks of this file. A rule is a value of olcAccess in cn=config; "
    "in slapd.conf it begins with `access` in place of `olcAccess:`."
)


def configuration_text(draft: Draft, head: Iterable[str], hidden: Sequence[Hidden]) -> str:
    """Return the file: comments, the configuration, and what could not be seen."""
    lines = [*(line for each in head for line in _comment("", each)), ""]
    lines += _lines(draft.data, draft.comments, ())
    lines += ["", *_hidden(hidden)]
    return "".join(f"{line}\n" for line in lines)


def _lines(
    data: Mapping[str, Any], comments: Mapping[Place, Sequence[str]], place: Place
) -> Iterator[str]:
    indent = "  " * len(place)
    for key, value in data.items():
        here = (*place, key)
        for each in comments.get(here, ()):
            yield from _comment(indent, each)
        is_block = key in BLOCKS or (place and place[-1] == "clusters")
        one_line = f"{indent}{scalar(key)}: {OFF if value == OFF else flow(value)}"
        if isinstance(value, Mapping) and value and (is_block or len(one_line) > LONGEST_LINE):
            yield f"{indent}{scalar(key)}:"
            yield from _lines(value, comments, here)
        else:
            yield one_line


def _comment(indent: str, text: str) -> list[str]:
    """Return the lines of a comment; those after the first are indented."""
    return wrap(
        printable(text, LONGEST_COMMENT),
        LONGEST_LINE,
        initial_indent=f"{indent}# ",
        subsequent_indent=f"{indent}#   ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _hidden(hidden: Sequence[Hidden]) -> Iterator[str]:
    if not hidden:
        yield "# All that was looked for could be seen."
        return
    yield from _comment("", HIDDEN_HEAD)
    for each in hidden:
        shown = listed(each.servers, MOST_SERVERS_SHOWN)
        where = f" on {shown}" if shown else ""
        yield "#"
        yield from _comment("", f"{each.what}{where}: {each.why}")
        for line in each.grants:  # not wrapped, to be copied
            yield f"#   {printable(line, LONGEST_COMMENT)}"
