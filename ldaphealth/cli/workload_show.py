"""`ldaphealth workload show`: check a workload and print it."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import click
from msgspec import to_builtins

from ldaphealth.config.mistakes import ConfigError
from ldaphealth.config.workload_file import load_workload
from ldaphealth.tables.terminal import as_text
from ldaphealth.tables.workload_report import render_workload
from ldaphealth.workload.shape import Workload


def show_workload(file: Path, form: str) -> None:
    """Print the workload in a file; click.ClickException lists its mistakes."""
    try:
        workload = load_workload(file)
    except ConfigError as error:
        mistakes = "\n".join(f"{file}: {each}" for each in error.problems)
        raise click.ClickException(mistakes) from error
    print_workload(workload, form)


def print_workload(workload: Workload, form: str) -> None:
    """Print a workload as tables or as JSON."""
    if form == "json":
        click.echo(json.dumps(to_builtins(workload, str_keys=True), indent=2))
        return
    width = shutil.get_terminal_size((80, 24)).columns
    click.echo(as_text(render_workload(workload), width=width, colour=sys.stdout.isatty()))
