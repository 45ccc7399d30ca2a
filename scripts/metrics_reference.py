"""Write the tables of docs/metrics.md from the table of metrics; `make docs` runs it.

With --check it writes nothing and fails if the document is out of date.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from written_document import below_mark, write_or_check

from ldaphealth.prometheus import Family
from ldaphealth.prometheus.table import (
    AGENT,
    ALWAYS,
    ANSWER,
    PROBE,
    PROBED_SERVER,
    VERDICT,
)

DOCUMENT = Path(__file__).parents[1] / "docs" / "metrics.md"
SECTIONS: tuple[tuple[str, Iterable[Family[Any]]], ...] = (
    ("Of a server, while its verdict holds", VERDICT),
    ("Of a server, always", ALWAYS),
    ("Of the agent", (*AGENT, *ANSWER)),
    ("Of a probe, beside those of a server", (*PROBE, *PROBED_SERVER)),
)


def reference() -> str:
    """Return the tables as Markdown."""
    return "\n".join(line for title, families in SECTIONS for line in _section(title, families))


def _section(title: str, families: Iterable[Family[Any]]) -> Iterator[str]:
    yield from (f"## {title}", "", "| metric | type | labels | meaning |", "|---|---|---|---|")
    for each in families:
        labels = ", ".join(f"`{label}`" for label in each.labels)
        yield f"| `{each.name}` | {each.kind} | {labels} | {each.help} |"
    yield ""


if __name__ == "__main__":
    sys.exit(write_or_check(DOCUMENT, below_mark(DOCUMENT, reference())))
