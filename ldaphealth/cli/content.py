"""`ldaphealth content`: compare the entries of servers, and not only their contextCSNs.

commands.py loads the group when it is used.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ldaphealth.cli.option_types import DurationText, Number, WholeNumber
from ldaphealth.cli.options import complete, config_option, format_option


@click.group("content")
def content_command() -> None:
    """Find entries that differ between servers.

    Entries can differ although the contextCSNs are equal.
    """


@content_command.command("diff")
@click.argument("cluster", shell_complete=complete)
@config_option
@click.option(
    "--entries-per-second",
    type=Number(1, 1_000_000),
    default=2000,
    show_default=True,
    metavar="N",
    help="Read at most N entries per second from each server.",
)
@click.option(
    "--wait",
    "wait_seconds",
    type=DurationText(0, 3600),
    default="30s",
    show_default=True,
    metavar="DURATION",
    help="How long to wait for a server to receive the changes that others have.",
)
@click.option(
    "--most",
    type=WholeNumber(1, 100_000),
    default=1000,
    show_default=True,
    metavar="N",
    help="List at most N differences. All are counted.",
)
@click.option(
    "--resume",
    "resume_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Save the progress in FILE, and continue from it after an interruption. FILE is removed "
    "at the end.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Also write the result to FILE: as LDIF if its name ends in .ldif, otherwise as JSON.",
)
@click.option(
    "--values",
    is_flag=True,
    help="Also compare the values of all user attributes that the account may read.",
)
@click.option(
    "--values-except",
    multiple=True,
    metavar="ATTRIBUTE",
    help="Do not compare the values of ATTRIBUTE. Repeatable; implies --values.",
)
@format_option
def content_diff_command(  # noqa: PLR0913, PLR0917  options
    cluster: str,
    config_file: Path,
    entries_per_second: float,
    wait_seconds: float,
    most: int,
    resume_file: Path | None,
    output: Path | None,
    values: bool,
    values_except: tuple[str, ...],
    form: str,
) -> None:
    """Compare every entry on all servers of CLUSTER.

    It compares entryUUID and entryCSN, with --values also a digest of the values, and reads with
    the account of the configuration. Clients may write during the comparison. An entry counts as
    different only if the same difference remains after every server has received what the others
    have.

    \b
    Exit status: 0 no difference, 1 differences, 3 bad input, or a server could
    not be compared.

    \b
    Examples:
      ldaphealth content diff example
      ldaphealth content diff example --entries-per-second 500 \\
        --resume ~/example.resume
      ldaphealth content diff example --output differences.ldif
      ldaphealth content diff example --values --values-except userPassword
    """  # noqa: D301  \b keeps the lines of a paragraph in click's help
    from ldaphealth.cli.content_diff import compare_contents  # ldap3
    from ldaphealth.content.values import NAME, ValueSelection
    from ldaphealth.tasks.content_diff import DiffOptions

    unknown = [name for name in values_except if not NAME.fullmatch(name)]
    if unknown:
        raise click.UsageError(f"--values-except: {unknown[0]!a} is not the name of an attribute")
    selection = ValueSelection(values or bool(values_except)).without(values_except)
    wanted = DiffOptions(entries_per_second, wait_seconds, most, resume_file, selection)
    sys.exit(compare_contents(cluster, config_file, wanted, output, form))
