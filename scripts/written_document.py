"""Writes a document that is generated from the code, or checks that it is up to date (--check)."""

from __future__ import annotations

import sys
from pathlib import Path

MARK = "<!-- the rest is written by `make docs` -->\n"


def write_or_check(document: Path, text: str) -> int:
    """Write the document; with --check only compare. Return the exit status."""
    if "--check" in sys.argv[1:]:
        return int(not document.exists() or document.read_text(encoding="utf-8") != text)
    document.write_text(text, encoding="utf-8")
    return 0


def below_mark(document: Path, reference: str) -> str:
    """Return the document with everything below its mark replaced by the reference."""
    before = document.read_text(encoding="utf-8").partition(MARK)[0]
    return f"{before}{MARK}\n{reference}"
