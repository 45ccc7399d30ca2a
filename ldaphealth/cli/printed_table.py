"""A table on standard output, as wide as the terminal, in colour only on one."""

from __future__ import annotations

import shutil
import sys
from typing import Any

import click

COLUMNS = 100  # without a terminal


def ascii_only() -> bool:
    """Return whether standard output cannot show the characters of plots."""
    return (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"


def print_table(table: Any) -> None:
    """Print what `tables/` made."""
    from ldaphealth.tables.terminal import as_text  # rich takes 60 ms

    width = shutil.get_terminal_size((COLUMNS, 24)).columns
    click.echo(as_text(table, width=width, colour=sys.stdout.isatty()))
