"""`ldaphealth doctor`: try all of a configuration once, and say what is wrong and what mends it."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import click

from ldaphealth.cli.options import READ_PATH, config_option, format_option

COLUMNS = 80  # unless a terminal has another width


@click.command("doctor")
@config_option
@click.option(
    "--keepalived",
    type=READ_PATH,
    metavar="FILE",
    help="The keepalived.conf to examine.  [default: /etc/keepalived/keepalived.conf, if it can "
    "be read]",
)
@click.option(
    "--fix",
    is_flag=True,
    help="Print only the commands and LDIF that mend what is wrong; nothing is run.",
)
@format_option
def doctor_command(config_file: Path, keepalived: Path | None, form: str, *, fix: bool) -> None:
    """Say what is wrong with servers or this host, and what mends it.

    It tries all of a configuration once: the configured checks of its servers a handful of times,
    as the agent does, and on this host the agent, its files and keepalived. What is wrong is listed
    in the order of importance, with the command or LDIF that mends it. Only canaries are written
    to.

    \b
    Exit status: that of the most important problem:
      0 nothing is wrong
      1 [mend]      something should be mended
      2 [breaks]    something breaks checks, or removes servers
      3 [unusable]  the configuration cannot be used; also for bad input

    \b
    Examples:
      ldaphealth doctor
      ldaphealth doctor --fix > mend.sh
    """  # noqa: D301  \b keeps the lines of a paragraph in click's help
    from ldaphealth.cli.doctor_results import results_of
    from ldaphealth.doctor.examinations import problems_in_order, status_of
    from ldaphealth.doctor.report import fix_script, report_document, report_text

    if fix and form == "json":
        raise click.UsageError("--fix is for the text; the JSON has the steps of each problem")
    results = results_of(config_file, keepalived)
    problems = problems_in_order(results)
    if fix:
        click.echo(fix_script(problems))
    elif form == "json":
        click.echo(json.dumps(report_document(results), indent=2))
    else:
        click.echo(report_text(results, shutil.get_terminal_size((COLUMNS, 24)).columns))
    sys.exit(status_of(problems))
