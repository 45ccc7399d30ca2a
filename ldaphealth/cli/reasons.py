"""`ldaphealth reasons`: what each reason code means, and what to do.

It needs neither an agent nor a configuration. commands.py loads it when it is used.
"""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from ldaphealth.cli.options import format_option
from ldaphealth.text.suggestion import suggestion

if TYPE_CHECKING:
    from ldaphealth.reason_codes import ReasonCode

COLUMNS = 80  # unless a terminal has another width
LEAST_COLUMNS = 40


def complete_code(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    """Return the codes that complete this one, with the check before the dot if there is one."""
    from ldaphealth.reason_codes import ROWS

    check, dot, begin = incomplete.rpartition(".")
    return [f"{check}{dot}{code}" for code in ROWS if code.startswith(begin)]


@click.command("reasons")
@click.argument("code", metavar="[CODE]", default="", shell_complete=complete_code)
@format_option
def reasons_command(code: str, form: str) -> None:
    """Show what a reason means, and what to do.

    CODE is one that `status` shows, with or without the check before it. Without CODE all are
    listed, in the order of docs/verdicts.md.

    REMOVES: "hard" removes a server if the effect of the check is `out`; "soft" and "expectation"
    do so as far as other servers remain; "no" is only reported.

    \b
    Examples:
      ldaphealth reasons
      ldaphealth reasons bind.timeout
      ldaphealth reasons noSuchObject --format json

    \b
    Exit status: 0 shown, 3 there is no such code.
    """  # noqa: D301  \b keeps the lines of a paragraph in click's help
    from ldaphealth.reason_codes import REASON_CODES, RESULT_CODE, ROWS, row_of

    rows = [*REASON_CODES, RESULT_CODE]
    if code:
        row, own = row_of(code), code.rpartition(".")[2]
        if row is None:
            hint = suggestion(own, ROWS, otherwise="`ldaphealth reasons` lists the codes")
            raise click.ClickException(f"there is no reason code {own!r}{hint}")
        rows = [row]
    if form == "json":
        documents = [_document(row) for row in rows]
        click.echo(json.dumps(documents[0] if code else documents, indent=2))
    elif code:
        click.echo("\n".join(_lines(code, rows[0], _columns())))
    else:
        from ldaphealth.tables.reasons_table import render_reasons  # rich
        from ldaphealth.tables.terminal import as_text

        table = as_text(render_reasons(rows), width=_columns(), colour=sys.stdout.isatty())
        click.echo(f"{table}\n\nWhat to do: `ldaphealth reasons CODE`")


def _columns() -> int:
    return max(LEAST_COLUMNS, shutil.get_terminal_size((COLUMNS, 24)).columns)


def _document(row: ReasonCode) -> dict[str, object]:
    return {
        "code": row.code,
        "checks": row.checks,
        "states": [each.name for each in row.states],
        "removes": row.removes,
        "means": row.means,
        "remedy": row.remedy,
    }


def _lines(code: str, row: ReasonCode, columns: int) -> Iterator[str]:
    """Yield what is known of one code, with a heading before each fact."""
    yield code
    facts = {
        "state": ", ".join(each.name for each in row.states),
        "of checks": ", ".join(row.checks) or "all",
        "removes": row.removes,
        "means": row.means,
        "what to do": row.remedy,
    }
    for name, text in facts.items():
        yield textwrap.fill(
            text,
            columns,
            initial_indent=f"  {name:10}  ",
            subsequent_indent=" " * 14,
            break_long_words=False,
            break_on_hyphens=False,
        )
